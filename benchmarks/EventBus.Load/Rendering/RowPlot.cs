namespace EventBus.Load;

/// <summary>
/// Draws a plot with a row for each contender, with values from left to right. A row without a figure is left out.
/// </summary>
internal abstract class RowPlot(string title, IReadOnlyList<PlotLabel> labels)
{
    private const int MostOfLabel = 26;
    private const double LineHeight = 15;

    /// <summary>The space for figures behind the longest bars.</summary>
    private const double RightRoom = 90;

    protected abstract string Unit { get; }

    /// <summary>The space for figures in front.</summary>
    protected virtual double LeftRoom => 0;

    protected abstract bool IsLogarithmic { get; }

    protected abstract IEnumerable<LegendEntry> Legend { get; }

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
        var top = svg.Head([.. Legend]);
        var drawn = Enumerable.Range(0, labels.Count).Where(row => HeightOf(row) > 0).ToList();
        var left = Svg.Margin + drawn.SelectMany(row => Wrap(labels[row].Text)).Max(line => Svg.WidthOf(line)) + 12;
        var (from, to, bottom) = (left + LeftRoom, Svg.Width - RightRoom, top + drawn.Sum(HeightOf));
        var axis = IsLogarithmic ? Axis.Logarithmic(values, from, to) : Axis.Linear(values, from, to);
        foreach (var tick in axis.Ticks)
        {
            svg.Line(axis.At(tick), top, axis.At(tick), bottom, "grid");
            svg.Text(axis.At(tick), bottom + 16, Tick(tick), "quiet", "middle");
        }

        svg.Text((from + to) / 2, bottom + 38, axis.IsLogarithmic ? $"{Unit}, log scale" : Unit, "quiet", "middle");
        var y = top;
        foreach (var row in drawn)
        {
            var lines = Wrap(labels[row].Text);
            var first = y + (HeightOf(row) / 2) + 4 - ((lines.Length - 1) * LineHeight / 2);
            for (var line = 0; line < lines.Length; line++)
            {
                svg.Text(left - 12, first + (line * LineHeight), lines[line], labels[row].IsOurs ? "ours" : "", "end");
            }

            DrawRow(svg, axis, row, y);
            y += HeightOf(row);
        }

        return svg.Finish(bottom + 52);
    }

    /// <summary>
    /// Returns the height of a row with a number of figures: at least two lines of its label; 0 without a figure.
    /// </summary>
    protected static double HeightOf(int figures, double step, double gap) =>
        figures == 0 ? 0 : Math.Max(figures * step, 2 * LineHeight) + gap;

    /// <summary>Returns the height of a row; 0 if it has no figure.</summary>
    protected abstract double HeightOf(int row);

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
