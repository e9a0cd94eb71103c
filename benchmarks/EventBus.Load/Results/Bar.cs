namespace EventBus.Load;

/// <summary>
/// The limit of a figure. Missed if the whole interval of its median lies on the wrong side, or if the median does
/// after <see cref="MostRounds"/>.
/// </summary>
/// <param name="What">The work.</param>
/// <param name="Measure">The figure; null if it was not measured.</param>
/// <param name="Least">The minimum; null for a maximum.</param>
/// <param name="Most">The maximum.</param>
/// <param name="Unit">The unit; empty for a ratio.</param>
internal sealed record Bar(string What, Func<Findings, Interval?> Measure, double? Least = null, double? Most = null, string Unit = "")
{
    /// <summary>The number of rounds after which a bar is evaluated.</summary>
    public const int LeastRounds = 15;

    /// <summary>The number of rounds after which no more are added, and the median alone decides.</summary>
    public const int MostRounds = 60;

    public const string Met = "met";
    public const string Missed = "missed";
    public const string Undecided = "undecided";

    /// <summary>The contender with which the bus is compared; null if the bar gets no further rounds.</summary>
    public string? Against { get; init; }

    public string Demand => Least is { } least ? $"at least {Number(least)}" : $"at most {Number(Most!.Value)}";

    public bool IsMet(Interval found) => Verdict(found) != Missed;

    /// <summary>
    /// Returns the verdict in a word. If the interval reaches over the limit and the median does not, the run is
    /// undecided as long as rounds can be added.
    /// </summary>
    public string Verdict(Interval found) =>
        !Reaches(found) ? Missed
        : Reaches(new Interval(found.Median, found.Median, found.Median)) ? Met
        : found.Count >= MostRounds ? Missed
        : Undecided;

    public string Show(Interval found) => $"{Number(found.Median)} ({Number(found.Low)} to {Number(found.High)})";

    private bool Reaches(Interval found) => Least is { } least ? found.High >= least : found.Low <= Most!.Value;

    private string Number(double value) => Unit.Length > 0 ? $"{value:N0} {Unit}" : value >= 20 ? $"{value:0}" : $"{value:0.00}";
}
