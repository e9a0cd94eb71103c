using System.Globalization;
using System.Text.RegularExpressions;

namespace EventBus.Architecture.Tests;

/// <summary>Checks that the published plots show every figure that they contain.</summary>
public sealed partial class PlotTests
{
    [Fact]
    public void Plots_OnALogarithmicScale_HaveDotsAndNoBars() =>
        Rule.NoOffenders(
            from plot in Plots()
            where plot.Text.Contains(", log scale", StringComparison.Ordinal)
            where Bar().IsMatch(plot.Text) || !Dot().IsMatch(plot.Text)
            select plot.Path,
            "The length of a bar on a logarithmic scale means nothing. Draw dots:");

    [Fact]
    public void Plots_OfFigures_BeginBelowTheSmallest() =>
        Rule.NoOffenders(
            from plot in Plots()
            let grid = Grid().Matches(plot.Text)
            let left = grid.Min(line => Number(line, "x1"))
            let top = grid.Min(line => Number(line, "y1"))
            from shape in Dot().Matches(plot.Text).Select(dot => (Right: Number(dot, "x"), Middle: Number(dot, "y"))).Concat(
                Bar().Matches(plot.Text).Select(bar => (Right: Number(bar, "x") + Number(bar, "width"), Middle: Number(bar, "y"))))
            where shape.Middle > top && shape.Right <= left
            select $"{plot.Path}: at {shape.Right}, {shape.Middle}",
            "These figures are on or before the begin of the axis, so they are not visible:");

    [Fact]
    public void Plots_OfContenders_HaveNoRowWithoutAFigure() =>
        Rule.NoOffenders(
            from plot in Plots()
            where plot.Text.Contains("no figure", StringComparison.Ordinal)
            select plot.Path,
            "Leave out the rows without a figure:");

    private static List<(string Path, string Text)> Plots()
    {
        var plots = Repository.Files()
            .Where(path => path.StartsWith("docs/benchmarks/", StringComparison.Ordinal) && Path.GetExtension(path) == ".svg")
            .Select(path => (path, Repository.Read(path)))
            .ToList();
        Assert.NotEmpty(plots);
        return plots;
    }

    private static double Number(Match match, string group) => double.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex("""<rect x="(?<x>[\d.]+)" y="(?<y>[\d.]+)" width="(?<width>[\d.]+)" height="[\d.]+" class="fill\d"/>""")]
    private static partial Regex Bar();

    [GeneratedRegex("""<circle cx="(?<x>[\d.]+)" cy="(?<y>[\d.]+)" r="4" """)]
    private static partial Regex Dot();

    [GeneratedRegex("""<line x1="(?<x1>[\d.]+)" y1="(?<y1>[\d.]+)" x2="[\d.]+" y2="[\d.]+" class="grid"/>""")]
    private static partial Regex Grid();
}
