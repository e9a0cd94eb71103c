namespace EventBus.Load;

/// <summary>What the rounds found of one contender, in one arena and mode. Values of the same place in two series were measured one after the other.</summary>
/// <param name="Arena">Where.</param>
/// <param name="Mode">How.</param>
/// <param name="Contender">The name of the contender.</param>
/// <param name="Events">How many events each round had.</param>
/// <param name="Rate">Events a second, where the mode has a rate.</param>
/// <param name="Rounds">What each round found.</param>
internal sealed record Series(Arena Arena, Mode Mode, string Contender, int Events, int Rate, IReadOnlyList<Sample> Rounds)
{
    public string? Problem => Rounds.FirstOrDefault(round => round.Problem is not null)?.Problem;

    public Interval Of(Func<Sample, double> figure) => Problem is null ? Statistics.Of(Rounds.Select(figure)) : default;

    /// <summary>The ratio of a figure to another series', round by round.</summary>
    public Interval RatioTo(Series other, Func<Sample, double> figure) =>
        Problem is null && other.Problem is null ? Statistics.Of(Rounds.Zip(other.Rounds, (mine, its) => figure(its) == 0 ? 0 : figure(mine) / figure(its))) : default;
}
