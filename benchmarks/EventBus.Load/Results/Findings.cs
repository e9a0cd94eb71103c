namespace EventBus.Load;

/// <summary>Looks up results.</summary>
/// <param name="compared">The series of the suites that compare contenders.</param>
/// <param name="starts">The start times.</param>
internal sealed class Findings(IReadOnlyList<Series> compared, IReadOnlyList<StartSeries> starts)
{
    public Findings(IReadOnlyList<ResultFile> files)
        : this(
            [.. files.Where(file => file.Suite is not ("transports" or "curves")).SelectMany(file => file.Series)],
            [.. files.SelectMany(file => file.Starts ?? [])])
    {
    }

    public IReadOnlyList<Series> All => compared;

    /// <summary>Returns a series of a suite that compares contenders; null if it was not measured.</summary>
    public Series? Of(string contender, Arena arena, Mode mode) => compared.FirstOrDefault(
        series => series.Contender == contender && series.Arena == arena && series.Mode == mode && series.Problem is null);

    /// <summary>
    /// Returns the ratio of the bus to another contender, round by round; null if one of them was not measured.
    /// </summary>
    public Interval? Ratio(string other, Arena arena, Mode mode, Func<Sample, double> figure) =>
        Of(ContenderKind.Bus, arena, mode) is { } bus && Of(other, arena, mode) is { } its ? bus.RatioTo(its, figure) : null;

    /// <summary>Returns the ratio of the start times of two programs, round by round.</summary>
    public Interval? StartRatio(bool isNative, Func<StartSample, double> figure) =>
        Start(Hello.Bus, isNative) is { } bus && Start(Hello.Bare, isNative) is { } bare ? bus.RatioTo(bare, figure) : null;

    public StartSeries? Start(string program, bool isNative) =>
        starts.FirstOrDefault(start => start.Program == program && start.IsNative == isNative);
}
