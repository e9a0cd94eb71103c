using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Architecture.Tests;

/// <summary>Checks the shape of types and their namespaces.</summary>
public sealed class TypeTests
{
    [Fact]
    public void Classes_OfALibrary_AreSealedAbstractOrStatic() =>
        Rule.NoOffenders(
            SourceProject.All.SelectMany(project => project.Types)
                .Where(type => type is { TypeKind: TypeKind.Class, IsSealed: false, IsAbstract: false, IsStatic: false })
                .Select(type => (type.ShortName, type.Where)),
            "These classes can be inherited from. Seal them, or list them in Waivers.cs with the reason:");

    [Fact]
    public void Types_OfALibrary_AreInTheExpectedNamespace() =>
        Rule.NoOffenders(
            SourceProject.All.SelectMany(project => project.Types.Where(type => type.ContainingType is null)
                .Select(type => (Type: type, Expected: NamespacesOf(project, type))))
                .Where(found => !found.Expected.Contains(found.Type.ContainingNamespace.ToDisplayString()))
                .Select(found => (
                    $"{found.Type.ContainingNamespace.ToDisplayString()}.{found.Type.Name}, not {string.Join(" or ", found.Expected)}",
                    found.Type.Where)),
            "These types are not in the expected namespace. Move them, or list them in Waivers.cs with the reason:");

    [Fact]
    public void Namespaces_OfALibrary_AreFileScoped() =>
        Rule.NoOffenders(
            SourceProject.All.SelectMany(project => project.Nodes<NamespaceDeclarationSyntax>()).Select(found => found.Node.Where),
            "These namespaces have a body of their own. Write 'namespace X;':");

    // Types for users are in the namespace EventBus, regardless of their folder. The two folders of base classes for
    // backends have a namespace each, including the infrastructure that backends share. Internal types use the same
    // namespaces.
    private static string[] NamespacesOf(SourceProject project, INamedTypeSymbol type) => (project.Name, FolderOf(type)) switch
    {
        ("EventBus.Conformance", _) => ["EventBus.Conformance"],
        ("EventBus.Core", "Transports") => ["EventBus.Transports"],
        ("EventBus.Core", "Stores") => ["EventBus.Stores"],
        ("EventBus.Core", "Infrastructure") when type.IsPublic => ["EventBus.Transports"],
        _ when type.IsPublic => ["EventBus"],
        _ => ["EventBus", "EventBus.Transports", "EventBus.Stores"],
    };

    private static string FolderOf(INamedTypeSymbol type) =>
        type.Locations[0].SourceTree!.FilePath.Split('/') is [_, _, var folder, _, ..] ? folder : "";
}
