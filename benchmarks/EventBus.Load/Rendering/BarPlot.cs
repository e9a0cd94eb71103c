namespace EventBus.Load;

/// <summary>
/// Draws throughput, with a line over the interval of 95 %: a bar for each mode of each row, or a dot on a logarithmic
/// scale, where the length of a bar would mean nothing.
/// </summary>
internal sealed class BarPlot(string title, IReadOnlyList<string> modes, IReadOnlyList<(PlotLabel Label, Interval?[] Values)> rows)
    : RowPlot(title, [.. rows.Select(row => row.Label)])
{
    private const double BarHeight = 12;
    private const double Step = 14;
    private const double Gap = 12;

    /// <summary>Beyond this ratio the shorter bars of a linear scale are not visible.</summary>
    private const double MostOfLinear = 20;

    protected override string Unit => "events a second";

    protected override bool IsLogarithmic => Medians.Max() / Medians.Min() > MostOfLinear;

    protected override IEnumerable<LegendEntry> Legend => modes.Select((mode, i) => new LegendEntry(mode, i, IsLine: IsLogarithmic));

    protected override IEnumerable<double> Values =>
        rows.SelectMany(row => row.Values).OfType<Interval>().SelectMany(found => new[] { found.Median, found.Low, found.High });

    private IEnumerable<double> Medians =>
        rows.SelectMany(row => row.Values).OfType<Interval>().Select(found => found.Median).Where(value => value > 0);

    protected override double HeightOf(int row) => HeightOf(Figures(row).Count(), Step, Gap);

    protected override string Tick(double value) => Titles.Short(value);

    protected override void DrawRow(Svg svg, Axis axis, int row, double top)
    {
        var y = top + ((HeightOf(row) - (Figures(row).Count() * Step)) / 2);
        foreach (var (mode, found) in Figures(row))
        {
            var (end, low, high, middle) = (axis.At(found.Median), axis.At(found.Low), axis.At(found.High), y + (BarHeight / 2));
            if (!axis.IsLogarithmic)
            {
                svg.Rectangle(axis.At(0), y, end - axis.At(0), BarHeight, $"fill{mode}");
            }

            svg.Line(low, middle, high, middle, "whisker");
            if (axis.IsLogarithmic)
            {
                svg.Circle(end, middle, mode, isHollow: false);
            }

            svg.Text(Math.Max(end, high) + (axis.IsLogarithmic ? 10 : 6), y + 10, Titles.Rate(found.Median), "value");
            y += Step;
        }
    }

    private IEnumerable<(int Mode, Interval Found)> Figures(int row) =>
        from value in rows[row].Values.Index()
        where value.Item is { Median: > 0 }
        select (value.Index, value.Item!.Value);
}
