using System.Text.RegularExpressions;

namespace EventBus.Architecture.Tests;

/// <summary>
/// Checks the vocabulary of the repository: one word for one concept, as docs/glossary.md defines them.
/// </summary>
public sealed class WordsTests
{
    /// <summary>The words that are not used, each with the words that are used instead. Case is ignored.</summary>
    private static readonly (string Word, string Instead)[] Words =
    [
        ("people", "operators"),
        ("whoever", "the operator, the owner, the subscription"),
        ("nobody", "no subscription, no instance"),
        ("somebody", "an operator, an instance"),
        ("told", "notified, reported"),
        ("mend(s|ed|ing)?", "fix, repair, correct"),
        ("for ever", "without end"),
        ("beside", "next to, in addition to"),
        ("time-outs?", "timeout"),
        ("any more", "no longer"),
        ("goes on", "continues, resumes"),
        ("hand(s|ed)? out", "deliver, return"),
        ("in vain", "without success"),
        ("befalls?", "happens to"),
        ("(dead letters?|letter|entry|entries) (is|are|was|were) revived", "is retried"),
    ];

    /// <summary>The places that the words are checked in. The test projects are left out.</summary>
    private static readonly string[] Places =
    [
        ".ci/", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/", "docs/", "eng/", "samples/", "src/", "test",
        "tests/EventBus.Proof/", "tests/Shared/",
    ];

    /// <summary>The uses that are right, each with its reason.</summary>
    private static readonly (string Text, string Reason)[] Exceptions =
    [
        ("TOld", "The type parameter of the old version in Upcast<TOld, TNew>."),
    ];

    private static readonly Regex Unused = new(
        $@"(?<![\w-])({string.Join('|', Words.Select(word => word.Word))})(?![\w-])", RegexOptions.IgnoreCase);

    [Fact]
    public void Texts_OfTheRepository_UseTheWordsOfTheGlossary() =>
        Rule.NoOffenders(
            from path in Repository.Files()
            where Places.Any(place => place.EndsWith('/') ? path.StartsWith(place, StringComparison.Ordinal) : path == place)
            where Path.GetExtension(path) is not (".json" or ".svg" or ".csv" or ".png")
            from line in File.ReadLines(Path.Combine(Repository.Root, path)).Index()
            from Match match in Unused.Matches(line.Item)
            where !Exceptions.Any(exception => exception.Text == match.Value)
            select $"{path}({line.Index + 1}): '{match.Value}'. Write: {Instead(match.Value)}",
            "These words are not used in this repository (docs/glossary.md):");

    [Fact]
    public void Summaries_OfTheLibraries_BeginWithAVerbOrANoun() =>
        Rule.NoOffenders(
            from path in Repository.Files("src", ".cs")
            from Match match in Regex.Matches(
                Repository.Read(path),
                @"/// *<summary>\s*(?:/// *)?((What|How|It|Whether|Who|Where) .{0,40})")
            select $"{path}: {match.Groups[1].Value}",
            "These summaries do not say what the member does. Begin with a verb ('Renews the lease of ...') or a noun:");

    private static string Instead(string found) =>
        Words.First(word => Regex.IsMatch(found, $"^({word.Word})$", RegexOptions.IgnoreCase)).Instead;
}
