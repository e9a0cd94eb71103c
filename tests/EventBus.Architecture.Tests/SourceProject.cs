using System.IO.Enumeration;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Architecture.Tests;

/// <summary>The source of one shipped library, compiled so that each name is bound to its symbol.</summary>
internal sealed class SourceProject
{
    private const string ImplicitUsings =
        "global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using "
            + "System.Net.Http; global using System.Threading; global using System.Threading.Tasks;";

    private static readonly Lazy<SourceProject[]> Shipped = new(() =>
        [.. new DirectoryInfo(Path.Combine(Repository.Root, "src")).EnumerateDirectories().Select(folder => folder.Name)
            .Where(name => Repository.Has($"src/{name}/{name}.csproj"))
            .Order(StringComparer.Ordinal)
            .Select(name => new SourceProject(name))]);

    private SourceProject(string name)
    {
        Name = name;
        IsDeterministic = Repository.Read($"src/{name}/{name}.csproj").Contains("<DeterministicCode>true<", StringComparison.Ordinal);
        var options = new CSharpParseOptions(LanguageVersion.Latest, DocumentationMode.Parse);
        Files =
            [.. Repository.Files($"src/{name}", ".cs").Select(path => CSharpSyntaxTree.ParseText(Repository.Read(path), options, path))];
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileNameWithoutExtension(path) != name)
            .Select(path => MetadataReference.CreateFromFile(path));
        Compilation = CSharpCompilation.Create(
            name,
            [
                CSharpSyntaxTree.ParseText(ImplicitUsings, options),
                .. Files,
                .. Linked(name).Select(path => CSharpSyntaxTree.ParseText(Repository.Read(path), options, path))
            ],
            references,
            new CSharpCompilationOptions(
                OutputKind.DynamicallyLinkedLibrary,
                nullableContextOptions: NullableContextOptions.Enable,
                allowUnsafe: true));
    }

    /// <summary>All libraries below <c>src</c>, by name.</summary>
    public static IReadOnlyList<SourceProject> All => Shipped.Value;

    public static SourceProject Core => All.Single(project => project.Name == "EventBus.Core");

    public string Name { get; }

    /// <summary>True if time, tasks and random numbers are injected.</summary>
    public bool IsDeterministic { get; }

    public IReadOnlyList<SyntaxTree> Files { get; }

    public CSharpCompilation Compilation { get; }

    /// <summary>
    /// Returns the files of another library that the project also compiles. They are checked in that library.
    /// </summary>
    private static IEnumerable<string> Linked(string name) =>
        from compile in XDocument.Parse(Repository.Read($"src/{name}/{name}.csproj")).Descendants("Compile")
        let pattern = compile.Attribute("Include")!.Value.Replace("../", "src/", StringComparison.Ordinal)
        from path in Repository.Files(Path.GetDirectoryName(pattern)!, ".cs")
        where FileSystemName.MatchesSimpleExpression(pattern, path)
        select path;

    /// <summary>The types that the source declares, nested ones included.</summary>
    public IEnumerable<INamedTypeSymbol> Types =>
        Nodes<BaseTypeDeclarationSyntax>().Select(found => (INamedTypeSymbol)found.Model.GetDeclaredSymbol(found.Node)!)
            .Concat(Nodes<DelegateDeclarationSyntax>().Select(found => (INamedTypeSymbol)found.Model.GetDeclaredSymbol(found.Node)!))
            .Distinct<INamedTypeSymbol>(SymbolEqualityComparer.Default);

    /// <summary>Returns all syntax nodes of one kind, each with its semantic model.</summary>
    public IEnumerable<(T Node, SemanticModel Model)> Nodes<T>()
        where T : SyntaxNode
    {
        foreach (var file in Files)
        {
            var model = Compilation.GetSemanticModel(file);
            foreach (var node in file.GetRoot().DescendantNodes().OfType<T>())
            {
                yield return (node, model);
            }
        }
    }
}
