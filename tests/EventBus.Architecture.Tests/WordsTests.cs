using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

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

    /// <summary>
    /// The words that are not used in names, each with the words that are used instead. A word of two parts is written
    /// with a space.
    /// </summary>
    private static readonly (string Word, string Instead)[] NameParts =
    [
        ("people", "operator"),
        ("whoever", "operator, owner"),
        ("nobody", "no..., none"),
        ("somebody", "operator, instance, caller"),
        ("told", "reported, notified, sent"),
        ("mend(s|ed)?", "fix, repair"),
        ("for ever", "without end"),
        ("beside", "next to, with"),
        ("goes? on", "continue"),
        ("given up", "dropped, abandoned"),
        ("given back", "released"),
        ("gives? back", "release, return"),
        ("lets? go", "release"),
        ("in vain", "without success"),
        ("suspects?", "redelivery, interrupted"),
        ("gauge", "circuit breaker, limiter"),
        ("desk", "manager"),
        ("door", "caller context"),
        ("lanes?", "partition, queue, lock"),
        ("keeper", "renewer, repository"),
        ("linger", "spin"),
        ("topologyMonitor", "maintenance"),
        ("entropy", "random"),
        ("sketch", "description"),
        ("hurry", "send now"),
        ("tales?", "timeline"),
        ("things?", "entity, or the word for what it is"),
        ("wires?", "connection"),
        ("revive(s|d)?", "retry"),
        ("judge(s|d)?", "check, classify"),
    ];

    /// <summary>The places in which the words are checked.</summary>
    private static readonly string[] Places =
    [
        ".ci/", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/", "docs/", "eng/", "samples/", "src/", "test",
        "tests/",
    ];

    /// <summary>The correct uses, each with its reason.</summary>
    private static readonly (string Text, string Reason)[] Exceptions =
    [
        ("TOld", "The type parameter of the old version in Upcast<TOld, TNew>."),
        ("LingerOption", "A term of sockets."),
        ("ObservableGauge", "A type of .NET for metrics."),
        ("CreateObservableGauge", "Its method of .NET."),
        ("LingerState", "A term of sockets."),
        ("Linger", "A term of Kafka: the setting linger.ms."),
        ("LingerMs", "Its name in the client of Kafka."),
    ];

    private static readonly Regex Unused = new(
        $@"(?<![\w-])({string.Join('|', Words.Select(word => word.Word))})(?![\w-])", RegexOptions.IgnoreCase);

    // The wire format is a term of the field.
    private static readonly Regex UnusedPart = new(
        $@"\b({string.Join('|', NameParts.Select(word => word.Word))})\b(?! format)", RegexOptions.IgnoreCase);

    private static readonly Regex Part = new("[A-Z]+(?![a-z])|[A-Z]?[a-z]+");

    private static IEnumerable<string> Checked =>
        from path in Repository.Files()
        where Places.Any(place => place.EndsWith('/') ? path.StartsWith(place, StringComparison.Ordinal) : path == place)
        where Path.GetExtension(path) is not (".json" or ".svg" or ".csv" or ".png")
        where path != "tests/EventBus.Architecture.Tests/WordsTests.cs"
        select path;

    [Fact]
    public void Texts_OfTheRepository_UseTheWordsOfTheGlossary() =>
        Rule.NoOffenders(
            from path in Checked
            from line in File.ReadLines(Path.Combine(Repository.Root, path)).Index()
            from Match match in Unused.Matches(line.Item)
            where !Exceptions.Any(exception => exception.Text == match.Value)
            select $"{path}({line.Index + 1}): '{match.Value}'. Write: {Instead(Words, match.Value)}",
            "These words are not used in this repository (docs/glossary.md):");

    [Fact]
    public void Names_OfTheRepository_UseTheWordsOfTheGlossary() =>
        Rule.NoOffenders(
            from path in Checked
            where Path.GetExtension(path) == ".cs"
            from name in CSharpSyntaxTree.ParseText(Repository.Read(path), path: path).GetRoot().DescendantTokens()
                .Where(token => token.IsKind(SyntaxKind.IdentifierToken))
                .DistinctBy(token => token.ValueText)
            where !Exceptions.Any(exception => exception.Text == name.ValueText)
            let match = UnusedPart.Match(string.Join(' ', Part.Matches(name.ValueText)))
            where match.Success
            select $"{name.GetLocation().Where}: {name.ValueText}. Write: {Instead(NameParts, match.Value)}",
            "These names use words that are not used in this repository (docs/glossary.md). Use the term of the field:");

    [Fact]
    public void Summaries_OfAnyCode_BeginWithAVerbOrANoun() =>
        Rule.NoOffenders(
            from path in Checked
            where Path.GetExtension(path) == ".cs"
            from Match match in Regex.Matches(
                Repository.Read(path),
                @"/// *<summary>\s*(?:/// *)?((What|Whatever|How|It|Whether|Who|Whoever|Where) .{0,40})")
            select $"{path}: {match.Groups[1].Value}",
            "These summaries do not say what the member does. Begin with a verb ('Renews the lease of ...') or a noun:");

    private static string Instead((string Word, string Instead)[] words, string found) =>
        words.First(word => Regex.IsMatch(found, $"^({word.Word})$", RegexOptions.IgnoreCase)).Instead;
}
