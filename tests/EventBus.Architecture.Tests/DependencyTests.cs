using System.Reflection;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Architecture.Tests;

/// <summary>Checks the references between the projects: every project may use Core, and Core uses none.</summary>
public sealed class DependencyTests
{
    private const string Document = "docs/architecture.md";
    private const string Section = "Rooms of Core";

    /// <summary>
    /// The packages that each library may use in addition to the base class library and Microsoft.Extensions.
    /// </summary>
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["EventBus.Core"] = [],
        ["EventBus.InMemory"] = ["EventBus.Core"],
        ["EventBus.Testing"] = ["EventBus.Core"],
        ["EventBus.Conformance"] = ["EventBus.Core", "EventBus.Testing"],
        ["EventBus.Sqlite"] = ["EventBus.Core", "Microsoft.Data.Sqlite", "SQLitePCLRaw.core"],
        ["EventBus.Redis"] = ["EventBus.Core", "StackExchange.Redis"],
        ["EventBus.RabbitMq"] = ["EventBus.Core", "RabbitMQ.Client"],
        ["EventBus.Kafka"] = ["EventBus.Core", "Confluent.Kafka"],
    };

    public static TheoryData<string> Libraries => [.. SourceProject.All.Select(project => project.Name)];

    [Theory]
    [MemberData(nameof(Libraries))]
    public void Assembly_OfALibrary_UsesAllowedAssembliesOnly(string library)
    {
        var assembly = Assembly.LoadFrom(Path.Combine(AppContext.BaseDirectory, $"{library}.dll"));
        Rule.NoOffenders(
            assembly.GetReferencedAssemblies()
                .Select(reference => reference.Name!)
                .Where(name => !name.StartsWith("System", StringComparison.Ordinal) && !MayUse(library, name)),
            $"{library} uses these assemblies. Dependencies point to EventBus.Core, and Core needs Microsoft.Extensions.* only; take the "
                + "dependency out:");
    }

    [Theory]
    [MemberData(nameof(Libraries))]
    public void Project_OfALibrary_ReferencesAllowedPackagesOnly(string library)
    {
        // The compiler omits unused references from the assembly, but the users of a package still get them.
        var references = XDocument.Parse(Repository.Read($"src/{library}/{library}.csproj")).Descendants()
            .Where(element => element.Name.LocalName is "PackageReference" or "ProjectReference")
            .Select(element => element.Attribute("Include")!.Value)
            .Select(include => include.EndsWith(".csproj", StringComparison.Ordinal) ? Path.GetFileNameWithoutExtension(include) : include);
        Rule.NoOffenders(
            references.Where(name => !MayUse(library, name)),
            $"{library} references these. Take the reference out, or allow it here in a reviewed change:");
    }

    /// <summary>
    /// The folders of a library form no circle of any length, so that a reader of a folder need not read the folders
    /// that use it.
    /// </summary>
    [Theory]
    [MemberData(nameof(Libraries))]
    public void Folders_OfALibrary_FormNoCircles(string library)
    {
        var uses = FolderUses(SourceProject.All.Single(project => project.Name == library));

        Rule.NoOffenders(
            from circle in Circles(uses)
            from use in uses
            where circle.Contains(use.From) && circle.Contains(use.To)
            select $"{string.Join(' ', circle.Order(StringComparer.Ordinal))}: {use.From} uses {string.Join(' ', use.Names)} of {use.To}",
            $"These folders of {library} form a circle. Move a type to the folder that owns it, or pass its dependency as an argument:");
    }

    /// <summary>The table of rooms in docs/architecture.md is the order in which a reader can read Core.</summary>
    [Fact]
    public void Rooms_OfCore_UseOnlyRoomsAboveThemInTheDocument()
    {
        var rows = RoomsOfCore();
        var uses = FolderUses(SourceProject.All.Single(project => project.Name == "EventBus.Core"));
        Rule.NoOffenders(
            uses.SelectMany(use => new[] { use.From, use.To })
                .Distinct()
                .Where(room => !rows.ContainsKey(room))
                .Concat(from use in uses
                        where rows.ContainsKey(use.From) && rows.ContainsKey(use.To) && rows[use.To] >= rows[use.From]
                        select $"{use.From} uses {string.Join(' ', use.Names)} of {use.To}"),
            $"{Document} does not have these rooms, or has them in another order. A room uses rooms above it: move the type, or correct "
                + "the table:");
    }

    /// <summary>Returns the row of each room in the table of the document.</summary>
    private static Dictionary<string, int> RoomsOfCore()
    {
        var section = Repository.Read(Document)
            .ReplaceLineEndings("\n")
            .Split("\n## ")
            .Single(part => part.StartsWith(Section, StringComparison.Ordinal));
        return section.Split('\n')
            .Where(line => line.StartsWith("| ", StringComparison.Ordinal))
            .Skip(2)
            .SelectMany((line, row) => line.Split('|')[1].Split(',').Select(room => (Room: room.Trim(' ', '`'), Row: row)))
            .ToDictionary(each => each.Room, each => each.Row, StringComparer.Ordinal);
    }

    private static bool MayUse(string library, string name) =>
        name.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal)
            || (Allowed.TryGetValue(library, out var more) && more.Contains(name));

    private static List<(string From, string To, string[] Names)> FolderUses(SourceProject project) =>
        [.. project.Nodes<SimpleNameSyntax>()
            .Select(found => (From: Folder(found.Node.SyntaxTree), Target: TypeOf(found.Model.GetSymbolInfo(found.Node).Symbol)))
            .Where(use => use.Target?.Locations[0].SourceTree is not null)
            .Select(use => (use.From, To: Folder(use.Target!.Locations[0].SourceTree!), use.Target.Name))
            .Where(use => use.From != use.To)
            .GroupBy(use => (use.From, use.To), (pair, uses) => (
                pair.From,
                pair.To,
                Names: uses.Select(use => use.Name).Distinct().Order(StringComparer.Ordinal).ToArray()))];

    /// <summary>Returns the strongly connected components of more than one folder.</summary>
    private static List<HashSet<string>> Circles(List<(string From, string To, string[] Names)> uses)
    {
        var reached = uses.Select(use => use.From)
            .Concat(uses.Select(use => use.To))
            .Distinct()
            .ToDictionary(folder => folder, folder => ReachedFrom(folder, uses));
        return [.. reached.Keys
            .Select(
                folder => reached[folder].Where(other => reached[other].Contains(folder)).Append(folder).ToHashSet(StringComparer.Ordinal))
            .Where(circle => circle.Count > 1)
            .DistinctBy(circle => string.Join(' ', circle.Order(StringComparer.Ordinal)))];
    }

    private static HashSet<string> ReachedFrom(string folder, List<(string From, string To, string[] Names)> uses)
    {
        var (reached, open) = (new HashSet<string>(StringComparer.Ordinal), new Stack<string>([folder]));
        while (open.TryPop(out var next))
        {
            foreach (var use in uses.Where(use => use.From == next && reached.Add(use.To)))
            {
                open.Push(use.To);
            }
        }

        return reached;
    }

    private static INamedTypeSymbol? TypeOf(ISymbol? symbol) => (symbol as INamedTypeSymbol ?? symbol?.ContainingType)?.OriginalDefinition;

    private static string Folder(SyntaxTree file) =>
        file.FilePath.Split('/') is [_, _, .. var folders, _] && folders.Length > 0 ? string.Join('/', folders) : "(root)";
}
