namespace EventBus.Conformance;

/// <summary>
/// Updates a table of scenarios and backends in a Markdown document between the markers of one part, and the reasons of
/// the scenarios between those of another.
/// </summary>
internal sealed class GuaranteesTable(string tablePart, string reasonsPart, IReadOnlyList<Scenario> scenarios)
{
    private const string Unknown = "";

    public string Update(string document, string backend, IReadOnlyList<ScenarioResult> results)
    {
        var columns = Read(Between(document, tablePart));
        columns[backend] = results.ToDictionary(
            result => result.Scenario.Name,
            result => result.SkipReason is { } reason ? $"skip: {reason}" : "pass");
        var table = new List<string> { Row(["Scenario", .. columns.Keys]), Row(Enumerable.Repeat("---", columns.Count + 1)) };
        table.AddRange(scenarios.Select(
            scenario => Row([scenario.Name, .. columns.Values.Select(column => column.GetValueOrDefault(scenario.Name, Unknown))])));
        var reasons = scenarios.Select(scenario => $"* **{scenario.Name}**: {scenario.Reason}");
        return Replace(Replace(document, tablePart, table), reasonsPart, reasons);
    }

    private static OrderedDictionary<string, Dictionary<string, string>> Read(string table)
    {
        var rows = table.Split('\n')
            .Where(line => line.StartsWith('|'))
            .Select(line => line.Trim('|').Split('|').Select(cell => cell.Trim()).ToArray())
            .ToList();
        var columns = new OrderedDictionary<string, Dictionary<string, string>>();
        for (var i = 1; rows.Count > 0 && i < rows[0].Length; i++)
        {
            columns.Add(rows[0][i], rows.Skip(2).Where(row => row.Length > i).ToDictionary(row => row[0], row => row[i]));
        }

        return columns;
    }

    private static string Row(IEnumerable<string> cells) => $"| {string.Join(" | ", cells)} |";

    private static string Between(string document, string part)
    {
        var (from, to) = Find(document, part);
        return document[from..to];
    }

    private static string Replace(string document, string part, IEnumerable<string> lines)
    {
        var (from, to) = Find(document, part);
        return $"{document[..from]}\n\n{string.Join('\n', lines)}\n\n{document[to..]}";
    }

    private static (int From, int To) Find(string document, string part)
    {
        var (begin, end) = ($"<!-- {part} -->", $"<!-- /{part} -->");
        var from = document.IndexOf(begin, StringComparison.Ordinal);
        var to = document.IndexOf(end, StringComparison.Ordinal);
        return from >= 0 && to > from
            ? (from + begin.Length, to)
            : throw new FormatException($"The document has no part between '{begin}' and '{end}'.");
    }
}
