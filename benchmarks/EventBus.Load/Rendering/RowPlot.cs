namespace EventBus.Load;

/// <summary>Draws a plot with a row for each contender, with values from left to right.</summary>
internal abstract class RowPlot(string title, IReadOnlyList<LegendEntry> legend, IReadOnlyList<PlotLabel> labels)
{
    private const int MostOfLabel = 26;
    private const double LineHeight = 15;

    /// <summary>The space for figures behind the longest bars.</summary>
    private const double RightRoom = 90;

    protected abstract string Unit { get; }

    /// <summary>The space for figures in front.</summary>
    protected virtual double LeftRoom => 0;

    protected abstract bool IsLogarithmic { get; }

    protected abstract double RowHeight { get; }

    protected abstract IEnumerable<double> Values { get; }

    /// <summary>Returns the picture; null if there is no value.</summary>
    public string? Draw()
    {
        var values = Values.Where(value => value > 0).ToList();
        if (values.Count == 0)
        {
            return null;
        }

        var svg = new Svg(title);
        var top = svg.Head(legend);
        var lines = labels.Select(label => Wrap(label.Text)).ToList();
        var left = Svg.Margin + lines.SelectMany(line => line).Max(line => Svg.WidthOf(line)) + 12;
        var (from, to, bottom) = (left + LeftRoom, Svg.Width - RightRoom, top + (RowHeight * labels.Count));
        var axis = IsLogarithmic ? Axis.Logarithmic(values, from, to) : Axis.Linear(values, from, to);
        foreach (var tick in axis.Ticks)
        {
            svg.Line(axis.At(tick), top, axis.At(tick), bottom, "grid");
            svg.Text(axis.At(tick), bottom + 16, Tick(tick), "quiet", "middle");
        }

        svg.Text((from + to) / 2, bottom + 38, axis.IsLogarithmic ? $"{Unit}, log scale" : Unit, "quiet", "middle");
        for (var row = 0; row < labels.Count; row++)
        {
            var y = top + (row * RowHeight);
            var first = y + (RowHeight / 2) + 4 - ((lines[row].Length - 1) * LineHeight / 2);
            for (var line = 0; line < lines[row].Length; line++)
            {
                svg.Text(left - 12, first + (line * LineHeight), lines[row][line], labels[row].IsOurs ? "ours" : "", "end");
            }

            DrawRow(svg, axis, row, y);
        }

        return svg.Finish(bottom + 52);
    }

    protected abstract string Tick(double value);

    protected abstract void DrawRow(Svg svg, Axis axis, int row, double top);

    /// <summary>Splits a long label into two lines at the space nearest to its middle.</summary>
    private static string[] Wrap(string text)
    {
        if (text.Length <= MostOfLabel || !text.Contains(' ', StringComparison.Ordinal))
        {
            return [text];
        }

        var space = Enumerable.Range(0, text.Length).Where(i => text[i] == ' ').MinBy(i => Math.Abs(i - (text.Length / 2)));
        return [text[..space], text[(space + 1)..]];
    }
}
