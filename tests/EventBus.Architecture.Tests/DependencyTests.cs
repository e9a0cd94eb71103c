using System.Reflection;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Architecture.Tests;

/// <summary>Who may know whom: everything knows Core, and Core knows nobody.</summary>
public sealed class DependencyTests
{
    /// <summary>What each library may use beside the base class library and Microsoft.Extensions.</summary>
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["EventBus.Core"] = [],
        ["EventBus.InMemory"] = ["EventBus.Core"],
        ["EventBus.Conformance"] = ["EventBus.Core"],
        ["EventBus.Sqlite"] = ["EventBus.Core", "Microsoft.Data.Sqlite", "SQLitePCLRaw.core"],
        ["EventBus.Redis"] = ["EventBus.Core", "StackExchange.Redis"],
        ["EventBus.RabbitMq"] = ["EventBus.Core", "RabbitMQ.Client"],
    };

    /// <summary>Pairs of folders of Core that use each other. The list may shrink; growing, it says that a folder is no unit any more.</summary>
    private static readonly string[] KnownCircles =
    [
        "(root) <-> Consuming",
        "(root) <-> Publishing",
        "(root) <-> Serialization",
        "(root) <-> Transports",
    ];

    public static TheoryData<string> Libraries => [.. SourceProject.All.Select(project => project.Name)];

    [Theory]
    [MemberData(nameof(Libraries))]
    public void Assembly_OfALibrary_UsesWhatItMay(string library)
    {
        var assembly = Assembly.LoadFrom(Path.Combine(AppContext.BaseDirectory, $"{library}.dll"));
        Rule.NoOffenders(
            assembly.GetReferencedAssemblies().Select(reference => reference.Name!).Where(name => !name.StartsWith("System", StringComparison.Ordinal) && !MayUse(library, name)),
            $"{library} uses these assemblies. Dependencies point to EventBus.Core, and Core needs Microsoft.Extensions.* only; take the dependency out:");
    }

    [Theory]
    [MemberData(nameof(Libraries))]
    public void Project_OfALibrary_ReferencesWhatItMay(string library)
    {
        // The compiler leaves out of the assembly what the code does not touch; a package's users get it all the same.
        var references = XDocument.Parse(Repository.Read($"src/{library}/{library}.csproj")).Descendants()
            .Where(element => element.Name.LocalName is "PackageReference" or "ProjectReference")
            .Select(element => element.Attribute("Include")!.Value)
            .Select(include => include.EndsWith(".csproj", StringComparison.Ordinal) ? Path.GetFileNameWithoutExtension(include) : include);
        Rule.NoOffenders(references.Where(name => !MayUse(library, name)), $"{library} references these. Take the reference out, or allow it here in a reviewed change:");
    }

    [Fact]
    public void Folders_OfCore_DoNotGrowNewCircles()
    {
        var circles = FolderUses().Where(use => FolderUses().Any(back => back.From == use.To && back.To == use.From))
            .Where(use => string.CompareOrdinal(use.From, use.To) < 0)
            .ToDictionary(
                use => $"{use.From} <-> {use.To}",
                use => $"{string.Join(' ', use.Names)} | {string.Join(' ', FolderUses().Single(back => back.From == use.To && back.To == use.From).Names)}");

        Rule.NoOffenders(
            circles.Where(circle => !KnownCircles.Contains(circle.Key)).Select(circle => $"{circle.Key}: {circle.Value}"),
            "These folders of EventBus.Core now use each other (the list names what the first takes from the second, then what comes back). Move a type to the folder that owns its promise, or pass the other folder a delegate:");
        Rule.NoOffenders(KnownCircles.Except(circles.Keys), "These circles are gone. Delete them from the list, so that they do not come back:");
    }

    private static bool MayUse(string library, string name) =>
        name.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal) || (Allowed.TryGetValue(library, out var more) && more.Contains(name));

    private static readonly Lazy<(string From, string To, string[] Names)[]> Uses = new(() =>
        [.. SourceProject.Core.Nodes<SimpleNameSyntax>()
            .Select(found => (From: Folder(found.Node.SyntaxTree), Target: TypeOf(found.Model.GetSymbolInfo(found.Node).Symbol)))
            .Where(use => use.Target?.Locations[0].SourceTree is not null)
            .Select(use => (use.From, To: Folder(use.Target!.Locations[0].SourceTree!), use.Target.Name))
            .Where(use => use.From != use.To)
            .GroupBy(use => (use.From, use.To), (pair, uses) => (pair.From, pair.To, Names: uses.Select(use => use.Name).Distinct().Order(StringComparer.Ordinal).ToArray()))]);

    private static (string From, string To, string[] Names)[] FolderUses() => Uses.Value;

    private static INamedTypeSymbol? TypeOf(ISymbol? symbol) => (symbol as INamedTypeSymbol ?? symbol?.ContainingType)?.OriginalDefinition;

    private static string Folder(SyntaxTree file) => file.FilePath.Split('/') is [_, _, var folder, _, ..] ? folder : "(root)";
}
