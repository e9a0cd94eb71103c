namespace EventBus.Load;

/// <summary>
/// The results of one contender in one arena and mode, round by round. Equal positions in two series were measured one
/// after the other.
/// </summary>
/// <param name="Arena">The arena.</param>
/// <param name="Mode">The mode.</param>
/// <param name="Contender">The name of the contender.</param>
/// <param name="Events">The number of events of a round.</param>
/// <param name="Rate">Events a second, if the mode has a rate.</param>
/// <param name="Rounds">The result of each round.</param>
internal sealed record Series(Arena Arena, Mode Mode, string Contender, int Events, int Rate, IReadOnlyList<Sample> Rounds)
{
    /// <summary>The warm-up before the first round; null for a series that was measured without one.</summary>
    public WarmUp? WarmUp { get; init; }

    public string? Problem => Rounds.FirstOrDefault(round => round.Problem is not null)?.Problem;

    public Interval Of(Func<Sample, double> figure) => Problem is null ? Statistics.Of(Rounds.Select(figure)) : default;

    /// <summary>Returns the ratio of a figure to that of another series, round by round.</summary>
    public Interval RatioTo(Series other, Func<Sample, double> figure) =>
        Problem is null && other.Problem is null
            ? Statistics.Of(Rounds.Zip(other.Rounds, (mine, its) => figure(its) == 0 ? 0 : figure(mine) / figure(its)))
            : default;

    /// <summary>
    /// Returns how surely the ratio rises or falls from round to round (<see cref="Statistics.Trend"/>).
    /// </summary>
    public double TrendTo(Series other, Func<Sample, double> figure) =>
        Statistics.Trend([.. Rounds.Zip(other.Rounds, (mine, its) => figure(mine) / figure(its))]);
}
