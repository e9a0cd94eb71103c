using System.Text;
using System.Text.RegularExpressions;

namespace EventBus.Packages;

/// <summary>Checks what users read: the README of the package, and its release notes.</summary>
internal static class TextCheck
{
    private const int MaxReleaseNotes = 35_000;

    private static readonly Regex Link = new(@"\[[^\]]+\]\((?<target>[^)\s]*)\)");

    public static void Run(PackageFile package, string address, Dictionary<string, string> readmes, Findings findings)
    {
        var readme = Encoding.UTF8.GetString(package.Read("README.md") ?? []);
        var title = $"# {package.Id}\n";
        findings.Expect(readme.StartsWith(title, StringComparison.Ordinal), $"README.md does not begin with '# {package.Id}'");
        findings.Expect(readme.Contains("dotnet add package "), "README.md does not show 'dotnet add package'");
        findings.Expect(readme.Contains("```csharp"), "README.md shows no code");
        findings.Expect(readme.Contains("Needs .NET 10"), "README.md does not say which .NET the package needs");
        findings.Expect(!readme.Contains("<!--"), "README.md has a comment, which galleries show as text");
        findings.Expect(readmes.TryAdd(readme, package.Id), $"README.md is that of {readmes[readme]}");

        var targets = Link.Matches(readme).Select(match => match.Groups["target"].Value).ToArray();
        foreach (var target in targets)
        {
            findings.Expect(
                target.StartsWith("https://", StringComparison.Ordinal),
                $"README.md has the link {target}, which leads nowhere outside of the repository");
        }

        findings.Expect(
            address.Length == 0 || targets.Any(target => target.StartsWith($"{address}/blob/v", StringComparison.Ordinal)),
            $"README.md has no link to {address}");
        findings.Notes.Add($"README.md links: {targets.Length}");

        CheckReleaseNotes(package.Text("releaseNotes"), findings);
    }

    private static void CheckReleaseNotes(string notes, Findings findings)
    {
        findings.Expect(notes.Length > 0, "there are no release notes: CHANGELOG.md has no section for this version");
        findings.Expect(
            notes.Length <= MaxReleaseNotes,
            $"the release notes have {notes.Length} characters, more than {MaxReleaseNotes}: shorten CHANGELOG.md");
        findings.Expect(!Link.IsMatch(notes), $"the release notes, which are plain text, have a link: {Link.Match(notes).Value}");
        findings.Expect(!notes.Contains("\n## "), "the release notes contain more than one section of CHANGELOG.md");
        findings.Notes.Add($"release notes: {notes.Length} characters");
    }
}
