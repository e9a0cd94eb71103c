using System.Text.RegularExpressions;

namespace EventBus.Proof;

/// <summary>
/// No log shows what is in a message, and no line of a log begins with, or is coloured by, what someone else chose.
/// </summary>
internal static partial class FuzzLogCheck
{
    private const int MostShown = 160;

    private const string Shared = "is kept as failed already";

    public static void Run(Findings findings, string folder, int shared) =>
        Run(
            findings,
            Directory.EnumerateFiles(folder, "*.log").Concat(Directory.EnumerateFiles(folder, "*.out")).SelectMany(File.ReadLines),
            shared);

    /// <param name="findings">Where the findings go.</param>
    /// <param name="log">The lines of the log; read once.</param>
    /// <param name="shared">
    /// How many messages share the dead letter of another with their id: the log says so of each.
    /// </param>
    public static void Run(Findings findings, IEnumerable<string> log, int shared = 0)
    {
        var (count, reported) = (0L, 0L);
        var (revealing, intruding, controlling) = (new List<string>(), new List<string>(), new List<string>());

        // As any program may see them that shows a log.
        foreach (var line in log.SelectMany(line => Breaks().Split(line)))
        {
            count++;
            reported += line.Contains(Shared, StringComparison.Ordinal) ? 1 : 0;
            AddIf(revealing, line.Contains(FuzzMark.Canary, StringComparison.Ordinal), line);
            AddIf(intruding, line.AsSpan().TrimStart().StartsWith(FuzzMark.Intruder, StringComparison.Ordinal), line);
            AddIf(controlling, line.Any(unit => char.IsControl(unit) && unit != '\t'), line);
        }

        findings.Note("lines of log", count);
        findings.Demand(reported >= shared, "lines that report a shared one", $"{reported:N0}, and {shared:N0} are shared");
        findings.None("lines with content", revealing);
        findings.None("lines that someone else began", intruding);
        findings.None("lines with control characters", controlling);
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
