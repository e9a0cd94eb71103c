using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace EventBus.Packages;

/// <summary>Checks the description of a package: its fields, its repository, its dependencies.</summary>
internal static class NuspecCheck
{
    private const int CommonTags = 6;

    public static void Run(PackageFile package, string version, string address, Findings findings)
    {
        Equal("version", version);
        Equal("authors", "EventBus contributors");
        Equal("license", "MIT");
        Equal("readme", "README.md");
        Equal("icon", "icon.png");
        findings.Expect(package.Text("copyright").Length > 0, "the nuspec has no copyright");
        var description = package.Text("description");
        findings.Expect(description.Length is > 40 and <= 4000, $"the description has {description.Length} characters");
        var tags = package.Text("tags").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        findings.Expect(tags.Length > CommonTags + 1, $"the package has no tags of its own: {string.Join(' ', tags)}");
        findings.Expect(tags.Distinct(StringComparer.Ordinal).Count() == tags.Length, $"a tag is repeated: {string.Join(' ', tags)}");
        CheckAddress(package, address, findings);
        CheckDependencies(package, version, findings);

        void Equal(string field, string expected) => findings.Expect(
            package.Text(field) == expected, $"the field {field} of the nuspec is '{package.Text(field)}' instead of '{expected}'");
    }

    private static void CheckAddress(PackageFile package, string address, Findings findings)
    {
        var repository = package.Element("repository");
        if (address.Length == 0)
        {
            findings.Expect(
                package.Element("projectUrl") is null,
                $"the nuspec names a project URL, {package.Text("projectUrl")}, but there is no address");
            findings.Expect(repository is null, $"the nuspec has the element {repository}, but there is no address");
            return;
        }

        findings.Expect(package.Text("projectUrl") == address, $"the project URL is '{package.Text("projectUrl")}' instead of '{address}'");
        findings.Expect(repository?.Attribute("type")?.Value == "git", "the nuspec does not name the type of the repository");
        findings.Expect(repository?.Attribute("url")?.Value == address, $"the repository is {repository} instead of {address}");
        findings.Expect(repository?.Attribute("commit") is not null, "the nuspec does not name the commit");
    }

    private static void CheckDependencies(PackageFile package, string version, Findings findings)
    {
        var groups = package.Element("dependencies")?.Elements().ToArray() ?? [];
        findings.Expect(
            groups is [{ } only] && only.Attribute("targetFramework")?.Value == "net10.0",
            "the dependencies are not those of net10.0 alone");
        var bounds = Bounds(version);
        foreach (var dependency in groups.SelectMany(group => group.Elements()))
        {
            var (id, range) = (dependency.Attribute("id")!.Value, dependency.Attribute("version")!.Value);
            findings.Notes.Add($"needs {id} {range}");
            if (!id.StartsWith("EventBus.", StringComparison.Ordinal))
            {
                findings.Expect(
                    Regex.IsMatch(range, @"^\d[\w.]*$"),
                    $"the dependency {id} {range} is not a stable version without an upper bound");
            }
            else
            {
                findings.Expect(range == bounds, $"the dependency {id} {range} should be {bounds}");
            }
        }
    }

    /// <summary>Returns the range for packages of a version: before 1.0 a minor version may break the API.</summary>
    private static string Bounds(string version)
    {
        var parts = version.Split('.');
        return parts[0] == "0" ? $"[{version}, 0.{int.Parse(parts[1]) + 1}.0)" : version;
    }
}
