namespace EventBus.Load;

/// <summary>Draws throughput: a bar for each mode of each row, with a line over the interval of 95 %.</summary>
internal sealed class BarPlot(string title, IReadOnlyList<string> modes, IReadOnlyList<(PlotLabel Label, Interval?[] Values)> rows)
    : RowPlot(title, [.. modes.Select((mode, i) => new LegendEntry(mode, i))], [.. rows.Select(row => row.Label)])
{
    private const double BarHeight = 12;
    private const double Step = 14;
    private const double Gap = 12;

    /// <summary>Beyond this ratio the shorter bars of a linear scale are not visible.</summary>
    private const double MostOfLinear = 20;

    protected override string Unit => "events a second";

    protected override bool IsLogarithmic => Medians.Max() / Medians.Min() > MostOfLinear;

    protected override double RowHeight => (modes.Count * Step) + Gap;

    protected override IEnumerable<double> Values =>
        rows.SelectMany(row => row.Values).OfType<Interval>().SelectMany(found => new[] { found.Median, found.Low, found.High });

    private IEnumerable<double> Medians =>
        rows.SelectMany(row => row.Values).OfType<Interval>().Select(found => found.Median).Where(value => value > 0);

    protected override string Tick(double value) => Titles.Short(value);

    protected override void DrawRow(Svg svg, Axis axis, int row, double top)
    {
        var from = axis.At(axis.Ticks[0]);
        for (var i = 0; i < modes.Count; i++)
        {
            var y = top + (Gap / 2) + (i * Step);
            if (rows[row].Values[i] is not { Median: > 0 } found)
            {
                svg.Text(from + 6, y + 10, "no figure", "value");
                continue;
            }

            var (end, low, high, middle) = (axis.At(found.Median), axis.At(found.Low), axis.At(found.High), y + (BarHeight / 2));
            svg.Rectangle(from, y, end - from, BarHeight, $"fill{i}");
            svg.Line(low, middle, high, middle, "whisker");
            svg.Text(Math.Max(end, high) + 6, y + 10, Titles.Rate(found.Median), "value");
        }
    }
}
