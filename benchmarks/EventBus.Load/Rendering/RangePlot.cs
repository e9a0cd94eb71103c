namespace EventBus.Load;

/// <summary>
/// Draws latency: a line for each mode of each row from p50 (a dot) over p99 (a stroke) to p99.9 (its end).
/// </summary>
internal sealed class RangePlot(string title, IReadOnlyList<string> modes, IReadOnlyList<(PlotLabel Label, Span?[] Values)> rows)
    : RowPlot(title, [.. rows.Select(row => row.Label)])
{
    private const double Step = 18;
    private const double Gap = 10;

    protected override string Unit => "latency in us, ms and s: dot p50, stroke p99, end p99.9";

    protected override double LeftRoom => 56;

    protected override bool IsLogarithmic => true;

    protected override IEnumerable<LegendEntry> Legend => modes.Select((mode, i) => new LegendEntry(mode, i, IsLine: true));

    protected override IEnumerable<double> Values =>
        rows.SelectMany(row => row.Values).OfType<Span>().SelectMany(found => new[] { found.P50, found.P999 });

    protected override double HeightOf(int row) => HeightOf(Figures(row).Count(), Step, Gap);

    protected override string Tick(double value) => Titles.ShortTime(value);

    protected override void DrawRow(Svg svg, Axis axis, int row, double top)
    {
        var y = top + ((HeightOf(row) - (Figures(row).Count() * Step)) / 2) + (Step / 2);
        foreach (var (mode, found) in Figures(row))
        {
            var (p50, p99, p999) = (axis.At(found.P50), axis.At(found.P99), axis.At(found.P999));
            svg.Line(p50, y, p999, y, $"line line{mode}");
            svg.Line(p99, y - 5, p99, y + 5, $"line line{mode}");
            svg.Line(p999, y - 3, p999, y + 3, $"line line{mode}");
            svg.Circle(p50, y, mode, isHollow: false);
            svg.Text(p50 - 8, y + 4, Titles.Time(found.P50), "value", "end");
            svg.Text(p999 + 8, y + 4, Titles.Time(found.P999), "value");
            y += Step;
        }
    }

    private IEnumerable<(int Mode, Span Found)> Figures(int row) =>
        from value in rows[row].Values.Index()
        where value.Item is { P50: > 0 }
        select (value.Index, value.Item!.Value);
}
