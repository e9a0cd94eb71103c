using System.Text.RegularExpressions;

namespace EventBus.Proof;

/// <summary>
/// Checks that no log contains the content of a message, and that no foreign text begins a line of a log or sets its
/// color.
/// </summary>
internal static partial class FuzzLogCheck
{
    private const int MostShown = 160;

    private const string Shared = "The failure is not recorded again";

    public static void Run(Findings findings, string folder, int shared) =>
        Run(
            findings,
            Directory.EnumerateFiles(folder, "*.log").Concat(Directory.EnumerateFiles(folder, "*.out")).SelectMany(File.ReadLines),
            shared);

    /// <param name="findings">Receives the findings.</param>
    /// <param name="log">The lines of the log; read once.</param>
    /// <param name="shared">
    /// The number of messages that share the dead letter of another message with their id. The log reports each of
    /// them.
    /// </param>
    public static void Run(Findings findings, IEnumerable<string> log, int shared = 0)
    {
        var (count, reported) = (0L, 0L);
        var (withContent, begunByForeignText, withControls) = (new List<string>(), new List<string>(), new List<string>());

        // Splits the lines like any program that displays a log.
        foreach (var line in log.SelectMany(line => Breaks().Split(line)))
        {
            count++;
            reported += line.Contains(Shared, StringComparison.Ordinal) ? 1 : 0;
            AddIf(withContent, line.Contains(FuzzMark.Canary, StringComparison.Ordinal), line);
            AddIf(begunByForeignText, line.AsSpan().TrimStart().StartsWith(FuzzMark.ForeignText, StringComparison.Ordinal), line);
            AddIf(withControls, line.Any(unit => char.IsControl(unit) && unit != '\t'), line);
        }

        findings.Note("log lines", count);
        findings.Demand(reported >= shared, "lines that report a shared dead letter", $"{reported:N0}, and {shared:N0} are shared");
        findings.None("lines with content", withContent);
        findings.None("lines begun by foreign text", begunByForeignText);
        findings.None("lines with control characters", withControls);
    }

    private static void AddIf(List<string> lines, bool isOne, string line)
    {
        if (isOne)
        {
            lines.Add(Shown(line));
        }
    }

    private static string Shown(string line) =>
        string.Concat(line.Take(MostShown).Select(unit => char.IsControl(unit) ? $"\\u{(int)unit:x4}" : $"{unit}"));

    [GeneratedRegex("\r\n|[\n\r\v\f\u0085\u2028\u2029]")]
    private static partial Regex Breaks();
}
