namespace EventBus.Load;

/// <summary>Draws lines on two logarithmic scales. A line without a point is left out.</summary>
internal sealed class LinePlot(string title, string across, string upwards, IReadOnlyList<PlotLine> all)
{
    private const double Left = 84;
    private const double Right = Svg.Width - 36;
    private const double Height = 300;

    private readonly List<PlotLine> lines = [.. all.Where(line => line.Points.Count > 0)];

    /// <summary>Returns the picture; null if there is no point.</summary>
    public string? Draw()
    {
        var points = lines.SelectMany(line => line.Points).ToList();
        if (points.Count == 0)
        {
            return null;
        }

        var svg = new Svg(title);
        var top = svg.Head([.. lines.Select(line => new LegendEntry(line.Name, line.Colour, IsLine: true, line.IsDashed))]);
        var bottom = top + Height;
        var x = Axis.Logarithmic([.. points.Select(point => point.X)], Left, Right, beginsAtLabel: false);
        var y = Axis.Logarithmic([.. points.Select(point => point.Y)], bottom, top);
        DrawGrid(svg, x, y, top, bottom);
        foreach (var line in lines)
        {
            var places = line.Points.Select(point => (x.At(point.X), y.At(point.Y))).ToList();
            svg.Path(places, $"line line{line.Colour}{(line.IsDashed ? " dashed" : "")}");
            places.ForEach(place => svg.Circle(place.Item1, place.Item2, line.Colour, line.IsDashed));
        }

        return svg.Finish(bottom + 52);
    }

    private void DrawGrid(Svg svg, Axis x, Axis y, double top, double bottom)
    {
        foreach (var tick in x.Ticks)
        {
            svg.Line(x.At(tick), top, x.At(tick), bottom, "grid");
            svg.Text(x.At(tick), bottom + 16, Titles.Short(tick), "quiet", "middle");
        }

        foreach (var tick in y.Ticks)
        {
            svg.Line(Left, y.At(tick), Right, y.At(tick), "grid");
            svg.Text(Left - 8, y.At(tick) + 4, Titles.Short(tick), "quiet", "end");
        }

        svg.Text((Left + Right) / 2, bottom + 38, across, "quiet", "middle");
        svg.Text(Svg.Margin + 12, (top + bottom) / 2, upwards, "quiet", "middle", isUpright: true);
    }
}
