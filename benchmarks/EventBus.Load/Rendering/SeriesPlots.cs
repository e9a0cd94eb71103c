namespace EventBus.Load;

/// <summary>Draws the two plots that compare rows of series.</summary>
internal static class SeriesPlots
{
    private static readonly Mode[] Latencies = [Mode.OneInFlight, Mode.AtRate];

    public static string Throughput(Pictures pictures, string name, string title, IReadOnlyList<SeriesRow> rows) => pictures.Add(
        $"{name}-throughput",
        title,
        new BarPlot(
            title,
            [.. Titles.Throughputs.Select(Titles.Of)],
            [.. rows.Select(row => (new PlotLabel(row.Title, row.IsOurs), Intervals(row)))]).Draw());

    public static string Latency(Pictures pictures, string name, string title, IReadOnlyList<SeriesRow> rows) => pictures.Add(
        $"{name}-latency",
        title,
        new RangePlot(
            title,
            [.. Latencies.Select(Titles.Of)],
            [.. rows.Select(row => (new PlotLabel(row.Title, row.IsOurs), Spans(row)))]).Draw());

    private static Interval?[] Intervals(SeriesRow row) =>
        [.. Titles.Throughputs.Select(
            mode => row.Find(mode) is { Problem: null } series ? series.Of(sample => sample.EventsPerSecond) : (Interval?)null)];

    private static Span?[] Spans(SeriesRow row) => [.. Latencies.Select(mode => row.Find(mode) is { Problem: null } series
        ? new Span(
            Cells.Median(series, sample => sample.P50),
            Cells.Median(series, sample => sample.P99),
            Cells.Median(series, sample => sample.P999))
        : (Span?)null)];
}
