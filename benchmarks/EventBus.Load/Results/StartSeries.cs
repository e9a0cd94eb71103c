namespace EventBus.Load;

/// <summary>What starting a program cost, round by round: from the start of the process to its first handled event.</summary>
/// <param name="Program">Which.</param>
/// <param name="IsNative">Native AOT, or framework-dependent.</param>
/// <param name="SizeMiB">How large the published program is, without debug symbols.</param>
/// <param name="Rounds">What each round found.</param>
internal sealed record StartSeries(string Program, bool IsNative, double SizeMiB, IReadOnlyList<StartSample> Rounds)
{
    public Interval RatioTo(StartSeries other, Func<StartSample, double> figure) => Statistics.Of(Rounds.Zip(other.Rounds, (mine, its) => figure(mine) / figure(its)));
}

/// <param name="Milliseconds">From the start of the process to the handler.</param>
/// <param name="PeakMiB">The most memory that the process had resident until then.</param>
internal sealed record StartSample(double Milliseconds, double PeakMiB);
