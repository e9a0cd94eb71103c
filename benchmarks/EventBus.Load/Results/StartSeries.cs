namespace EventBus.Load;

/// <summary>
/// The start times of a program, round by round: from the start of the process to its first handled event.
/// </summary>
/// <param name="Program">The program.</param>
/// <param name="IsNative">True for native AOT, false for framework-dependent.</param>
/// <param name="SizeMiB">The size of the published program in MiB, without debug symbols.</param>
/// <param name="Rounds">The result of each round.</param>
internal sealed record StartSeries(string Program, bool IsNative, double SizeMiB, IReadOnlyList<StartSample> Rounds)
{
    public Interval RatioTo(StartSeries other, Func<StartSample, double> figure) =>
        Statistics.Of(Rounds.Zip(other.Rounds, (mine, its) => figure(mine) / figure(its)));
}

/// <param name="Milliseconds">From the start of the process to the handler.</param>
/// <param name="PeakMiB">The peak resident memory of the process until then, in MiB.</param>
internal sealed record StartSample(double Milliseconds, double PeakMiB);
