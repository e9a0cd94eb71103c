using System.Text.RegularExpressions;

namespace EventBus.Proof;

/// <summary>No log shows what is in a message, and no line of a log begins with, or is coloured by, what someone else chose.</summary>
internal static partial class FuzzLogCheck
{
    private const int MostShown = 160;

    public static void Run(Findings findings, string folder)
    {
        var lines = Directory.EnumerateFiles(folder, "*.log").Concat(Directory.EnumerateFiles(folder, "*.out")).SelectMany(path => Breaks().Split(File.ReadAllText(path))).ToList();
        Run(findings, lines);
    }

    /// <param name="findings">Where the findings go.</param>
    /// <param name="lines">The lines, as any program may see them that shows a log.</param>
    public static void Run(Findings findings, IReadOnlyList<string> lines)
    {
        findings.Note("lines of log", lines.Count);
        findings.None("lines with content", lines.Where(line => line.Contains(FuzzMark.Canary, StringComparison.Ordinal)).Select(Shown));
        findings.None("lines that someone else began", lines.Where(line => line.AsSpan().TrimStart().StartsWith(FuzzMark.Intruder, StringComparison.Ordinal)).Select(Shown));
        findings.None("lines with control characters", lines.Where(line => line.Any(unit => char.IsControl(unit) && unit != '\t')).Select(Shown));
    }

    private static string Shown(string line) => string.Concat(line.Take(MostShown).Select(unit => char.IsControl(unit) ? $"\\u{(int)unit:x4}" : $"{unit}"));

    [GeneratedRegex("\r\n|[\n\r\v\f\u0085\u2028\u2029]")]
    private static partial Regex Breaks();
}
