namespace EventBus.Architecture.Tests;

/// <summary>Reads tables of Markdown documents.</summary>
internal static class MarkdownTables
{
    /// <summary>The figure of a backend that has no column in the benchmarks.</summary>
    public const string NotMeasured = "not measured yet";

    /// <summary>Returns the cells of the rows of the first table after a comment that begins with a text.</summary>
    public static string[][] Table(string document, string comment) =>
        [.. document.ReplaceLineEndings("\n").Split('\n')
            .SkipWhile(line => !line.StartsWith($"<!-- {comment}", StringComparison.Ordinal))
            .SkipWhile(line => !line.StartsWith('|'))
            .TakeWhile(line => line.StartsWith('|'))
            .Select(line => line.Trim('|').Split('|').Select(cell => cell.Trim()).ToArray())];

    /// <summary>Returns the cells of a row by the heads of their columns.</summary>
    public static Dictionary<string, string> Cells(string[][] table, string row)
    {
        var cells = table.Single(cells => cells[0].Contains(row, StringComparison.Ordinal));
        return table[0].Zip(cells).Skip(1).ToDictionary(column => column.First, column => column.Second, StringComparer.Ordinal);
    }

    /// <summary>Returns the throughput of each backend in the first table of docs/benchmarks.md.</summary>
    /// <param name="mode">The way of publishing, as that table names it.</param>
    public static Dictionary<string, string> Throughputs(string mode) =>
        Cells(Table(Repository.Read("docs/benchmarks.md"), "begin: transports"), $"throughput, {mode}");
}
