using System.Security;
using System.Text;

namespace EventBus.Load;

/// <summary>
/// A picture of a fixed width, drawn from top to bottom. It has a background, so that its colours work on any page, and
/// follows the reader's light or dark mode.
/// </summary>
internal sealed class Svg(string title)
{
    public const int Width = 820;
    public const int Margin = 16;

    /// <summary>The colours of the light mode first, then those that differ in the dark mode.</summary>
    private const string Style = """
        text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
        .title { font-size: 15px; font-weight: 600 } .ours { font-weight: 700 } .quiet { fill: #59636e }
        .value { font-size: 11px; fill: #59636e; stroke: #ffffff; stroke-width: 3; paint-order: stroke }
        .ground { fill: #ffffff } .grid { stroke: #d1d9e0 } .whisker { stroke: #1f2328; stroke-opacity: 0.65 }
        .fill0 { fill: #1f6fb4 } .fill1 { fill: #d4731c } .fill2 { fill: #2f8f57 }
        .line { fill: none; stroke-width: 2 } .line0 { stroke: #1f6fb4 } .line1 { stroke: #d4731c } .line2 { stroke: #2f8f57 }
        .dashed { stroke-dasharray: 6 4 } .hollow { fill: #ffffff }
        @media (prefers-color-scheme: dark) {
        text { fill: #e6edf3 } .quiet, .value { fill: #9da7b1 } .value { stroke: #0d1117 } .ground, .hollow { fill: #0d1117 }
        .grid { stroke: #30363d } .whisker { stroke: #e6edf3 }
        .fill0 { fill: #4c9be8 } .fill1 { fill: #e8934a } .fill2 { fill: #57b97c }
        .line0 { stroke: #4c9be8 } .line1 { stroke: #e8934a } .line2 { stroke: #57b97c }
        }
        """;

    private readonly StringBuilder body = new();

    /// <summary>Estimates the width of a text, rather too wide.</summary>
    public static double WidthOf(string text, double size = 12) => text.Length * size * 0.58;

    /// <summary>Draws the title and the legend.</summary>
    /// <returns>The vertical position of the rest.</returns>
    public double Head(IReadOnlyList<LegendEntry> legend)
    {
        Text(Margin, 28, title, "title");
        var (x, y) = ((double)Margin, 50.0);
        foreach (var entry in legend)
        {
            var swatch = entry.IsLine ? 24.0 : 14;
            var width = swatch + 6 + WidthOf(entry.Name) + 18;
            if (x > Margin && x + width > Width - Margin)
            {
                (x, y) = (Margin, y + 20);
            }

            if (entry.IsLine)
            {
                Line(x, y - 4, x + swatch, y - 4, $"line line{entry.Colour}{(entry.IsDashed ? " dashed" : "")}");
                Circle(x + (swatch / 2), y - 4, entry.Colour, entry.IsDashed);
            }
            else
            {
                Rectangle(x, y - 10, swatch, 12, $"fill{entry.Colour}");
            }

            Text(x + swatch + 6, y, entry.Name);
            x += width;
        }

        return y + 18;
    }

    public void Text(double x, double y, string text, string style = "", string anchor = "start", bool isUpright = false) =>
        body.Append($"<text x=\"{Round(x)}\" y=\"{Round(y)}\"{Class(style)}{(anchor == "start" ? "" : $" text-anchor=\"{anchor}\"")}")
            .Append($"{(isUpright ? $" transform=\"rotate(-90 {Round(x)} {Round(y)})\"" : "")}>{SecurityElement.Escape(text)}</text>\n");

    public void Line(double x1, double y1, double x2, double y2, string style) =>
        body.Append($"<line x1=\"{Round(x1)}\" y1=\"{Round(y1)}\" x2=\"{Round(x2)}\" y2=\"{Round(y2)}\"{Class(style)}/>\n");

    public void Path(IEnumerable<(double X, double Y)> points, string style) =>
        body.Append(
            $"<polyline points=\"{string.Join(' ', points.Select(point => $"{Round(point.X)},{Round(point.Y)}"))}\"{Class(style)}/>\n");

    public void Rectangle(double x, double y, double width, double height, string style) =>
        body.Append($"<rect x=\"{Round(x)}\" y=\"{Round(y)}\" width=\"{Round(width)}\" height=\"{Round(height)}\"{Class(style)}/>\n");

    public void Circle(double x, double y, int colour, bool isHollow) =>
        body.Append(
            $"<circle cx=\"{Round(x)}\" cy=\"{Round(y)}\" r=\"4\"{Class(isHollow ? $"line line{colour} hollow" : $"fill{colour}")}/>\n");

    public string Finish(double height) => $"""
        <svg xmlns="http://www.w3.org/2000/svg" width="{Width}" height="{Round(height)}" viewBox="0 0 {Width} {Round(height)}"
        role="img" aria-labelledby="title">
        <title id="title">{SecurityElement.Escape(title)}</title>
        <style>
        {Style}
        </style>
        <rect class="ground" width="{Width}" height="{Round(height)}" rx="6"/>
        {body}</svg>

        """;

    private static string Class(string style) => style.Length > 0 ? $" class=\"{style}\"" : "";

    /// <summary>Formats a coordinate with one decimal, independently of the culture.</summary>
    private static string Round(double value) => value.ToString("0.#");
}
