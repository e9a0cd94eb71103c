using System.Text.RegularExpressions;

namespace EventBus.Architecture.Tests;

/// <summary>Checks that the tests, scenarios and proofs that docs/failures.md names exist.</summary>
public sealed class FailureTableTests
{
    private const string Document = "docs/failures.md";

    private static readonly Regex TableRow = new(@"^\| (?<row>[A-Z]\d+) \| [^|]+ \| (?<shownBy>[^|]+) \|$", RegexOptions.Multiline);
    private static readonly Regex Code = new(@"(?<proof>proof )?`(?<name>[^`]+)`");

    private static IEnumerable<(string Row, string ShownBy)> Rows =>
        TableRow.Matches(Repository.Read(Document).ReplaceLineEndings("\n"))
            .Select(row => (row.Groups["row"].Value, row.Groups["shownBy"].Value));

    [Fact]
    public void Table_OfFailures_NamesExistingTests()
    {
        var scenarios = TextOf("src/EventBus.Conformance");
        var proofs = TextOf("tests/EventBus.Proof");
        Rule.NoOffenders(
            from row in Rows
            from Match code in Code.Matches(row.ShownBy)
            let name = code.Groups["name"].Value
            let exists = name.Split('.') is [var type, var method] ? HasTest(type, method)
                : code.Groups["proof"].Success ? Names(proofs, name)
                : Regex.IsMatch(scenarios, $"new\\(\\s*\"{Regex.Escape(name)}\"")
            where !exists
            select $"{row.Row}: {name}",
            $"{Document} contains names that do not exist. A name with a dot is Class.Method of a test, others are scenarios of "
                + "EventBus.Conformance, or with 'proof' before them proofs of EventBus.Proof:");
    }

    [Fact]
    public void Table_OfFailures_HasEveryRow() =>
        Rule.NoOffenders(
            new[]
            {
                ("N", 6),
                ("D", 9),
                ("I", 8),
                ("O", 6),
                ("S", 8),
                ("Z", 5),
                ("P", 10),
                ("B", 9),
                ("C", 7),
                ("L", 4),
                ("K", 17),
                ("V", 1)
            }.SelectMany(group =>
                Enumerable.Range(1, group.Item2).Select(number => $"{group.Item1}{number}"))
                    .Append("C10")
                    .Except(Rows.Select(row => row.Row)),
            $"{Document} has no row for these, or the row does not end in ' |'. Each names what shows it, or says why it does not apply:");

    /// <summary>Returns true if the tests of the repository have a class with such a test method.</summary>
    internal static bool HasTest(string type, string method) =>
        Repository.Files("tests", ".cs")
            .Where(path => Path.GetFileName(path).Split('.')[0] == type)
            .Any(path => Regex.IsMatch(Repository.Read(path), $@"\[(Fact|Theory)[^\n]*\]\s*(\[[^\n]+\]\s*)*public [^\n(]*\b{method}\("));

    private static bool Names(string text, string proof) => Regex.IsMatch(text, $@"string Name =>[^\n]*""{proof}""");

    private static string TextOf(string folder) => string.Concat(Repository.Files(folder, ".cs").Select(Repository.Read));
}
