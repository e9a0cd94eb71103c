namespace EventBus.ReadModel;

/// <summary>
/// The results of one form with one kind of query, round by round. Equal positions in two series were measured in the
/// same round.
/// </summary>
internal sealed record Series(Query Query, Form Form, IReadOnlyList<RoundResult> Rounds)
{
    public Interval Of(Func<RoundResult, double> figure) => Statistics.Of(Rounds.Select(figure));

    /// <summary>Returns the ratio of a figure to that of another series, round by round.</summary>
    public Interval RatioTo(Series other, Func<RoundResult, double> figure) =>
        Statistics.Of(Rounds.Zip(other.Rounds, (mine, its) => figure(mine) / figure(its)));
}
