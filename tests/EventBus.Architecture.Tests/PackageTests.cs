using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace EventBus.Architecture.Tests;

/// <summary>
/// Checks the sources of the packages. eng/check-packages opens the packages themselves, and checks what is in them.
/// </summary>
public sealed class PackageTests
{
    private static readonly Regex Link = new(@"\[[^\]]+\]\((?<target>[^)\s]*)\)");

    private static IEnumerable<string> Projects => Repository.Files("src", ".csproj");

    [Fact]
    public void Libraries_OfTheSolution_HaveAReadme() =>
        Rule.NoOffenders(
            Projects.Select(path => path[..path.LastIndexOf('/')]).Where(folder => !Repository.Has($"{folder}/README.md")),
            "These libraries have no README.md, which is the first page of their package. Say what it is, how to add it, and three lines "
                + "of code:");

    // eng/Package.targets makes these links absolute if there is an address of the repository, otherwise plain text.
    [Fact]
    public void Links_InAReadmeOfAPackage_LeadToAFileOfTheRepository() =>
        Rule.NoOffenders(
            from path in Repository.PackageReadmes
            from Match link in Link.Matches(Repository.Read(path))
            let target = link.Groups["target"].Value
            where !target.StartsWith("https://", StringComparison.Ordinal)
            where !target.StartsWith("../../", StringComparison.Ordinal) || !Repository.Has(target["../../".Length..].Split('#')[0])
            select $"{path}: {target}",
            "These links lead nowhere. A link of a package's README begins with '../../' and names a file of the repository:");

    [Fact]
    public void Tags_OfAPackage_AreItsOwn() =>
        Rule.NoOffenders(
            from path in Projects
            let tags = XDocument.Parse(Repository.Read(path)).Descendants("PackageTags").Select(tags => tags.Value).SingleOrDefault()
            where tags is null || tags.Split(';').Length < 2
            select path,
            "These projects have no <PackageTags> of their own, at least two. The common ones are in eng/Package.targets:");
}
