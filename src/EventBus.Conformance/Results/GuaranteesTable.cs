namespace EventBus.Conformance;

/// <summary>
/// Updates a table of scenarios and backends in a Markdown document between the markers of one part, and the reasons of
/// the scenarios between those of another.
/// </summary>
/// <param name="tablePart">The name in the markers around the table.</param>
/// <param name="reasonsPart">The name in the markers around the reasons.</param>
/// <param name="scenarios">The scenarios, which are the rows of the table.</param>
internal sealed class GuaranteesTable(string tablePart, string reasonsPart, IReadOnlyList<Scenario> scenarios)
{
    // The cell of a scenario that has not run on a backend.
    private const string NoResult = "";

    /// <summary>Returns the document with the results of one backend and the current reasons.</summary>
    public string Update(string document, string backend, IReadOnlyList<ScenarioResult> results)
    {
        var columns = ParseColumns(TextOf(document, tablePart));
        columns[backend] = results.ToDictionary(result => result.Scenario.Name, CellOf);
        var table = new List<string>
        {
            Row(["Scenario", .. columns.Keys]),
            Row(Enumerable.Repeat("---", columns.Count + 1)),
        };
        foreach (var scenario in scenarios)
        {
            table.Add(Row([scenario.Name, .. columns.Values.Select(column => column.GetValueOrDefault(scenario.Name, NoResult))]));
        }

        var reasons = scenarios.Select(scenario => $"* **{scenario.Name}**: {scenario.Reason}");
        return Replace(Replace(document, tablePart, table), reasonsPart, reasons);
    }

    private static string CellOf(ScenarioResult result) => result.Passed ? "pass" : $"skip: {result.SkipReason}";

    /// <summary>
    /// Returns the columns by the names of their backends. A column contains its cells by the names of the scenarios.
    /// </summary>
    private static OrderedDictionary<string, Dictionary<string, string>> ParseColumns(string table)
    {
        var rows = table.Split('\n')
            .Where(line => line.StartsWith('|'))
            .Select(line => line.Trim('|').Split('|').Select(cell => cell.Trim()).ToArray())
            .ToList();
        var columns = new OrderedDictionary<string, Dictionary<string, string>>();
        if (rows.Count == 0)
        {
            return columns;
        }

        // The first row contains the headings, and the second one the separators.
        var headings = rows[0];
        for (var i = 1; i < headings.Length; i++)
        {
            columns.Add(headings[i], rows.Skip(2).Where(row => row.Length > i).ToDictionary(row => row[0], row => row[i]));
        }

        return columns;
    }

    private static string Row(IEnumerable<string> cells) => $"| {string.Join(" | ", cells)} |";

    private static string TextOf(string document, string part)
    {
        var (start, end) = Find(document, part);
        return document[start..end];
    }

    private static string Replace(string document, string part, IEnumerable<string> lines)
    {
        var (start, end) = Find(document, part);
        return $"{document[..start]}\n\n{string.Join('\n', lines)}\n\n{document[end..]}";
    }

    /// <summary>Returns where the text between the two markers of a part starts and ends.</summary>
    private static (int Start, int End) Find(string document, string part)
    {
        var startMarker = $"<!-- {part} -->";
        var endMarker = $"<!-- /{part} -->";
        var start = document.IndexOf(startMarker, StringComparison.Ordinal);
        var end = document.IndexOf(endMarker, StringComparison.Ordinal);
        return start >= 0 && end > start
            ? (start + startMarker.Length, end)
            : throw new FormatException($"The document has no part between '{startMarker}' and '{endMarker}'.");
    }
}
