using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Architecture.Tests;

/// <summary>Checks the format of code and documents: columns, lengths, types a file, parameters.</summary>
public sealed class FormatTests
{
    private const int CodeColumns = 140;
    private const int ProseColumns = 120;
    private const int FileLines = 300;
    private const int MethodLines = 60;
    private const int ConstructorParameters = 5;

    private static readonly Regex LinkTarget = new(@"\]\([^)]*\)");

    // The list items of these documents are written by the conformance suites and by benchmarks/EventBus.Load.
    private static readonly string[] GeneratedLists = ["docs/benchmarks.md", "docs/guarantees.md"];

    private static IEnumerable<string> CodeFiles =>
        new[] { "benchmarks", "eng", "samples", "src", "tests" }.SelectMany(folder => Repository.Files(folder, ".cs"));

    private static IEnumerable<string> Documents =>
        Repository.Files("docs", ".md").Concat(Repository.PackageReadmes).Concat(["README.md", "CONTRIBUTING.md", "SECURITY.md"]);

    [Fact]
    public void Lines_OfCode_HaveAtMost140Columns() =>
        Rule.NoOffenders(
            from line in CodeFiles.SelectMany(Lines)
            where !IsComment(line.Text) && line.Text.Length > CodeColumns
            select $"{line.Path}({line.Number}): {line.Text.Length} columns",
            $"These lines of code have more than {CodeColumns} columns. Break them, or name a part of the expression:");

    [Fact]
    public void Lines_OfProse_HaveAtMost120Columns() =>
        Rule.NoOffenders(
            from line in CodeFiles.SelectMany(Lines).Where(line => IsComment(line.Text)).Concat(Documents.SelectMany(ProseOf))
            where line.Text.Length > ProseColumns
            select $"{line.Path}({line.Number}): {line.Text.Length} columns",
            $"These comments and documents have lines of more than {ProseColumns} columns. Break them:");

    [Fact]
    public void Files_OfALibrary_HaveAtMost300Lines() =>
        Rule.NoOffenders(
            from project in SourceProject.All
            from file in project.Files
            let lines = Lines(file.FilePath).Count()
            where lines > FileLines
            select (Path.GetFileName(file.FilePath), $"{file.FilePath}, {lines} lines"),
            $"These files have more than {FileLines} lines. Move a separate responsibility to a separate type:");

    [Fact]
    public void Methods_OfALibrary_HaveAtMost60Lines() =>
        Rule.NoOffenders(
            from project in SourceProject.All
            from found in project.Nodes<SyntaxNode>()
            where found.Node is BaseMethodDeclarationSyntax or LocalFunctionStatementSyntax
            let lines = LinesOf(found.Node)
            where lines > MethodLines
            select (found.Model.GetDeclaredSymbol(found.Node)!.ShortName, $"{found.Node.Where}, {lines} lines"),
            $"These methods have more than {MethodLines} lines. Extract parts as methods:");

    [Fact]
    public void Files_OfLibrariesAndTests_HaveOneType() =>
        Rule.NoOffenders(
            from path in CodeFiles
            where path.StartsWith("src/", StringComparison.Ordinal) || path.StartsWith("tests/", StringComparison.Ordinal)
            let types = TypesOf(path)
            where types.Length > 1
            select $"{path}: {string.Join(", ", types)}",
            "These files have several types. Give each a file; a generic type and its companion of the same name share one:");

    [Fact]
    public void Files_WithOneType_HaveItsName() =>
        Rule.NoOffenders(
            from path in CodeFiles
            where !path.StartsWith("eng/", StringComparison.Ordinal)
            let types = TypesOf(path)
            where types.Length == 1 && Path.GetFileName(path).Split('.')[0] != types[0] && Path.GetFileName(path) != "Program.cs"
            select $"{path}: {types[0]}",
            "These files are not named after their type. Rename one of the two; a part of a partial type is 'Type.Part.cs':");

    [Fact]
    public void Types_NestedInATypeOfALibrary_ArePrivate() =>
        Rule.NoOffenders(
            from type in SourceProject.All.SelectMany(project => project.Types)
            where type.ContainingType is not null && type.DeclaredAccessibility != Accessibility.Private
            select (type.ShortName, type.Where),
            "These nested types are used outside their type. Give each a file, or list it in Waivers.cs with the reason:");

    [Fact]
    public void Constructors_OfALibrary_HaveAtMost5Parameters() =>
        Rule.NoOffenders(
            from type in SourceProject.All.SelectMany(project => project.Types)
            where !type.IsRecord
            from constructor in type.InstanceConstructors
            where !constructor.IsImplicitlyDeclared && constructor.Parameters.Length > ConstructorParameters
            select (type.ShortName, $"{constructor.Where}, {constructor.Parameters.Length} parameters"),
            $"These constructors have more than {ConstructorParameters} parameters. Split the class, which has several jobs. Do not pass "
                + "the parameters together as one object:");

    [Fact]
    public void Locks_OfAnyCode_AreNotOnThis() =>
        Rule.NoOffenders(
            from path in CodeFiles
            from node in Parse(path).DescendantNodes()
            where node is LockStatementSyntax { Expression: ThisExpressionSyntax }
            select node.Where,
            "These locks are on an object that other code can also lock. Lock a private field:");

    private static IEnumerable<(string Path, int Number, string Text)> Lines(string path) =>
        File.ReadLines(Path.Combine(Repository.Root, path)).Select((text, index) => (path, index + 1, text));

    private static bool IsComment(string line) => line.TrimStart().StartsWith("//", StringComparison.Ordinal);

    /// <summary>
    /// Returns the lines of a document except tables, code and generated lists. Links are without their targets.
    /// </summary>
    private static IEnumerable<(string Path, int Number, string Text)> ProseOf(string path)
    {
        var isCode = false;
        foreach (var (_, number, text) in Lines(path))
        {
            var isFence = text.TrimStart().StartsWith("```", StringComparison.Ordinal);
            isCode ^= isFence;
            if (!isCode
                && !isFence
                && !text.StartsWith('|')
                && !(GeneratedLists.Contains(path) && text.StartsWith("* ", StringComparison.Ordinal)))
            {
                yield return (path, number, LinkTarget.Replace(text, "]"));
            }
        }
    }

    private static SyntaxNode Parse(string path) => CSharpSyntaxTree.ParseText(Repository.Read(path), path: path).GetRoot();

    private static int LinesOf(SyntaxNode node) =>
        node.GetLocation().GetLineSpan() is var span ? span.EndLinePosition.Line - span.StartLinePosition.Line + 1 : 0;

    /// <summary>Returns the names of the types and delegates that a file declares outside of other types.</summary>
    private static string[] TypesOf(string path) =>
        [.. Parse(path).DescendantNodes(node => node is CompilationUnitSyntax or BaseNamespaceDeclarationSyntax)
            .Select(node => node switch
            {
                BaseTypeDeclarationSyntax type => type.Identifier.Text,
                DelegateDeclarationSyntax type => type.Identifier.Text,
                _ => null,
            })
            .OfType<string>()
            .Distinct(StringComparer.Ordinal)];
}
