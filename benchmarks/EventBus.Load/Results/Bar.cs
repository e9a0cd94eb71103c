namespace EventBus.Load;

/// <summary>The limit of a figure. Missed if the whole interval of its median lies on the wrong side.</summary>
/// <param name="What">The work.</param>
/// <param name="Measure">The figure; null if it was not measured.</param>
/// <param name="Least">The minimum; null for a maximum.</param>
/// <param name="Most">The maximum.</param>
/// <param name="Unit">The unit; empty for a ratio.</param>
internal sealed record Bar(string What, Func<Findings, Interval?> Measure, double? Least = null, double? Most = null, string Unit = "")
{
    public string Demand => Least is { } least ? $"at least {Number(least)}" : $"at most {Number(Most!.Value)}";

    public bool IsMet(Interval found) => Least is { } least ? found.High >= least : found.Low <= Most!.Value;

    /// <summary>
    /// Returns the verdict in a word. If the interval reaches over the limit and the median does not, the run is
    /// undecided.
    /// </summary>
    public string Verdict(Interval found) =>
        !IsMet(found) ? "missed" : IsMet(new Interval(found.Median, found.Median, found.Median)) ? "met" : "undecided";

    public string Show(Interval found) => $"{Number(found.Median)} ({Number(found.Low)} to {Number(found.High)})";

    private string Number(double value) => Unit.Length > 0 ? $"{value:N0} {Unit}" : value >= 20 ? $"{value:0}" : $"{value:0.00}";
}
