namespace EventBus.Load;

/// <summary>Writes throughput and memory by the number of subscriptions, of keys, and of waiting events.</summary>
internal static class CurveSection
{
    private const string Rate = "events a second, log scale";

    public static string Write(ResultFile file, Pictures pictures)
    {
        var subscriptions = new Curve(
            "subscriptions",
            [.. file.Series.Where(series => series.Mode != Mode.Backlog && series.Arena.Keys == 0)],
            series => series.Arena.Subscriptions,
            IsDeliveries: true);
        var keys = new Curve("keys", [.. file.Series.Where(series => series.Arena.Keys > 0)], series => series.Arena.Keys);
        var backlog = new Curve("events that wait", [.. file.Series.Where(series => series.Mode == Mode.Backlog)], series => series.Events);
        var deliveries = Plot(
            "curve-subscriptions",
            "Deliveries a second against subscriptions",
            subscriptions,
            "deliveries a second, log scale",
            subscriptions.Rates);
        return $"""
            ### Subscriptions

            Deliveries a second: events a second times subscriptions. In memory, {Titles.Of(Mode.OneByOne)}.

            {subscriptions.Table()}
            {deliveries}

            ### Keys

            Ordered by key in {Arena.Partitions} partitions. In memory, {Titles.Of(Mode.OneByOne)}.

            {keys.Table()}
            {Plot("curve-keys", "Throughput against keys", keys, Rate, keys.Rates)}

            ### Backlog

            The events are published while the handlers wait, and then handled; the rate is that of both together.

            {backlog.Table()}
            {Plot("curve-backlog", "Throughput against a backlog", backlog, Rate, backlog.Rates)}

            {Plot("curve-backlog-memory", "Peak memory against a backlog", backlog, "peak memory in MiB, log scale", backlog.Peaks)}
            """;

        string Plot(string name, string title, Curve curve, string unit, IReadOnlyList<PlotLine> lines) =>
            pictures.Add(name, title, new LinePlot(title, $"{curve.What}, log scale", unit, lines).Draw());
    }
}
