namespace EventBus.Load;

/// <summary>Draws the bus and the raw client along one axis.</summary>
/// <param name="What">The unit of the axis.</param>
/// <param name="Series">The measured series.</param>
/// <param name="At">Returns the position of a series on the axis.</param>
/// <param name="IsDeliveries">True to count the deliveries of each subscription.</param>
internal sealed record Curve(string What, IReadOnlyList<Series> Series, Func<Series, int> At, bool IsDeliveries = false)
{
    public IReadOnlyList<PlotLine> Rates => Lines(series => Cells.Median(series, sample => sample.EventsPerSecond) * Times(series));

    public IReadOnlyList<PlotLine> Peaks => Lines(series => Cells.Median(series, sample => sample.PeakMiB));

    private List<Transport> Transports => [.. Series.Select(series => series.Arena.Transport).Distinct()];

    public string Table()
    {
        var table = new MarkdownTable(["", What, "raw", "**EventBus**", "ratio", "peak memory: raw", "**EventBus**"]);
        foreach (var point in Series.GroupBy(series => (series.Arena.Transport, At: At(series))))
        {
            var (raw, bus) = (Find(ContenderKind.Raw), Find(ContenderKind.Bus));
            table.Add([
                Titles.Of(point.Key.Transport), $"{point.Key.At:N0}", Say(raw), Say(bus),
                Cells.Ratio(bus, raw, sample => sample.EventsPerSecond), Cells.Peak(raw), Cells.Peak(bus)]);

            Series? Find(string name) => point.FirstOrDefault(series => series.Contender == name);
        }

        return table.ToString();
    }

    private string Say(Series? series) => Cells.Rate(series, series is null ? 1 : Times(series));

    private int Times(Series series) => IsDeliveries ? series.Arena.Subscriptions : 1;

    /// <summary>A colour for each transport; the raw client's lines are dashed.</summary>
    private List<PlotLine> Lines(Func<Series, double> figure) =>
    [
        .. Series.GroupBy(series => (series.Arena.Transport, series.Contender)).Select(line => new PlotLine(
            (Transports.Count > 1 ? $"{Titles.Of(line.Key.Transport)}: " : "")
                + Titles.Contender(line.Key.Contender, line.Key.Transport),
            Transports.Count > 1 ? Transports.IndexOf(line.Key.Transport) : line.Key.Contender == ContenderKind.Bus ? 0 : 1,
            line.Key.Contender == ContenderKind.Raw,
            [.. line.Where(series => series.Problem is null)
                .Select(series => ((double)At(series), figure(series)))
                .Where(point => point.Item2 > 0)
                .OrderBy(point => point.Item1)])),
    ];
}
