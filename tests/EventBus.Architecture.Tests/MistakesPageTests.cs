using System.Text.RegularExpressions;

namespace EventBus.Architecture.Tests;

/// <summary>Checks that docs/mistakes.md is complete, and agrees with the benchmarks.</summary>
public sealed class MistakesPageTests
{
    private const string Document = "docs/mistakes.md";

    private static readonly string[] Parts =
        ["**Wrong.**", "#wrong -->", "**What this library does.**", "**Right.**", "#right -->", "**Shown by**"];

    private static readonly Regex Test = new(@"`(?<type>[A-Z]\w*Tests)\.(?<method>\w+)`");

    private static string Page => Repository.Read(Document).ReplaceLineEndings("\n");

    private static string[] Sections => Page.Split("\n## ")[1..];

    [Fact]
    public void Mistakes_OnThePage_HaveTheWrongAndTheRightCode() =>
        Rule.NoOffenders(
            from section in Sections
            from part in Parts
            where !section.Contains(part, StringComparison.Ordinal)
            select $"{section.Split('\n')[0]}: {part}",
            $"These parts are missing in sections of {Document}. Code is quoted from a region of a test:");

    [Fact]
    public void Tests_OnThePage_ExistInEachSection() =>
        Rule.NoOffenders(
            from section in Sections
            from name in Test.Matches(section).Where(Exists).Any()
                ? Test.Matches(section).Where(test => !Exists(test)).Select(test => test.Value)
                : ["it names no test that exists"]
            select $"{section.Split('\n')[0]}: {name}",
            $"These tests of {Document} do not exist:");

    [Fact]
    public void Rates_OfLargeEvents_EqualTheBenchmarks()
    {
        var benchmarks = Repository.Read("docs/benchmarks.md").ReplaceLineEndings("\n");
        var table = Page.Split("<!-- rates -->")[1]
            .Split("<!-- /rates -->")[0]
            .Split('\n')
            .Where(line => line.StartsWith('|'))
            .Select(Cells)
            .ToArray();
        Rule.NoOffenders(
            from row in table.Skip(2)
            from column in Enumerable.Range(1, table[0].Length - 1)
            let measured = Measured(benchmarks, table[0][column], row[0])
            where row[column] != measured
            select $"{table[0][column]}, {row[0]}: {row[column]} instead of {measured}",
            $"These figures of {Document} are not those of docs/benchmarks.md, 1 subscription. Copy them:");
    }

    /// <summary>Returns the rate of the bus with one subscription, from the part of a backend.</summary>
    private static string Measured(string benchmarks, string backend, string size)
    {
        var part = benchmarks.Split('\n')
            .SkipWhile(line => line.TrimStart('#', ' ') != backend || !line.StartsWith('#'))
            .SkipWhile(line => !line.StartsWith($"| 1 subscription, {size} |", StringComparison.Ordinal));
        return Cells(part.First())[2];
    }

    private static bool Exists(Match test) => FailureTableTests.HasTest(test.Groups["type"].Value, test.Groups["method"].Value);

    private static string[] Cells(string line) => [.. line.Trim('|').Split('|').Select(cell => cell.Trim())];
}
