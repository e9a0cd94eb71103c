using System.Text.RegularExpressions;

namespace EventBus.Architecture.Tests;

/// <summary>
/// Checks that code in the documentation is code that compiles, or that a check runs: the comment before a block names
/// the file, or a region of it.
/// </summary>
public sealed class DocumentedCodeTests
{
    private static readonly Regex Marked = new(
        @"^<!-- code: (?<path>[^#\s]+)(#(?<region>\S+))? -->\s*\n```(csharp|javascript|bash)\n(?<code>.*?)^```",
        RegexOptions.Multiline | RegexOptions.Singleline);
    private static readonly Regex Marker = new(@"^<!-- code:", RegexOptions.Multiline);

    private static IEnumerable<string> Documents => Repository.Files("docs", ".md").Concat(Repository.PackageReadmes).Prepend("README.md");

    [Fact]
    public void Code_InADocument_EqualsItsFile() =>
        Rule.NoOffenders(
            from path in Documents
            let text = Text(path)
            from Match block in Marked.Matches(text)
            let source = block.Groups["path"].Value
            let region = block.Groups["region"].Value
            let expected = Repository.Has(source) ? Excerpt(Text(source), region) : null
            where expected != block.Groups["code"].Value.TrimEnd()
            select expected is null
                ? $"{path}: {source} has no region '{region}', or does not exist"
                : $"{path}: {source} {region}, first difference: {FirstDifference(expected, block.Groups["code"].Value.TrimEnd())}",
            "These blocks are not the code that compiles. Copy the file, or the lines between '#region name' and '#endregion', into the "
                + "block:");

    [Fact]
    public void Code_WithAMarker_IsACodeBlock() =>
        Rule.NoOffenders(
            Documents.Where(path => Marker.Count(Text(path)) != Marked.Count(Text(path))),
            "A comment '<!-- code: path -->' or '<!-- code: path#region -->' stands on its own line, and ```csharp, ```javascript or "
                + "```bash begins on the next. Correct it in:");

    [Fact]
    public void Readme_WithContent_ShowsCodeThatCompiles() =>
        Assert.True(
            Text("README.md").Split('\n').Length <= 10 || Marked.IsMatch(Text("README.md")),
            "README.md shows no code that is compiled by a test. Put '<!-- code: samples/Quickstart/Program.cs -->' before a ```csharp "
                + "block with the text of that file.");

    private static string Text(string path) => Repository.Read(path).ReplaceLineEndings("\n");

    /// <summary>
    /// Returns the lines of a region without their common indentation; the whole file if no region is requested; null
    /// if there is no region of that name.
    /// </summary>
    private static string? Excerpt(string text, string region)
    {
        if (region.Length == 0)
        {
            return text.TrimEnd();
        }

        var lines = text.Split('\n')
            .SkipWhile(line => Directive(line) != $"#region {region}")
            .Skip(1)
            .TakeWhile(line => Directive(line) != "#endregion")
            .ToArray();
        if (lines.Length == 0)
        {
            return null;
        }

        var indent = lines.Where(line => line.Length > 0).Min(line => line.Length - line.TrimStart().Length);
        return string.Join('\n', lines.Select(line => line.Length == 0 ? line : line[indent..])).Trim('\n');
    }

    /// <summary>Returns the directive, which is a comment in languages other than C#.</summary>
    private static string Directive(string line) =>
        line.Trim() is var text && text.StartsWith("//#", StringComparison.Ordinal) ? text[2..] : text;

    private static string FirstDifference(string expected, string actual) =>
        expected.Split('\n')
            .Zip(actual.Split('\n').Append("(the end)"))
            .Where(pair => pair.First != pair.Second)
            .Select(pair => $"'{pair.Second}' instead of '{pair.First}'")
            .FirstOrDefault()
            ?? "one is longer than the other";
}
