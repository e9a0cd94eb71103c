using Microsoft.CodeAnalysis;

namespace EventBus.Architecture.Tests;

/// <summary>Limits the number of public types of EventBus.Core, nested ones included.</summary>
public sealed class PublicSurfaceTests
{
    private const int MaxOfUsers = 56;
    private const int MaxInterfaces = 9;
    private const int MaxTypes = 105;

    private static readonly INamedTypeSymbol[] Types = [.. SourceProject.Core.Types.Where(type => type.IsPublic)];

    [Fact]
    public void Types_InTheUsersNamespace_AreFew() =>
        AtMost(
            MaxOfUsers,
            Types.Where(type => type.ContainingNamespace.ToDisplayString() == "EventBus"),
            "public types in the namespace EventBus");

    [Fact]
    public void Interfaces_OfCore_AreFew() =>
        AtMost(MaxInterfaces, Types.Where(type => type.TypeKind == TypeKind.Interface), "public interfaces");

    [Fact]
    public void Types_OfCore_AreFew() => AtMost(MaxTypes, Types, "public types");

    private static void AtMost(int limit, IEnumerable<INamedTypeSymbol> found, string kind)
    {
        string[] names = [.. found.Select(type => type.ToDisplayString()).Order(StringComparer.Ordinal)];
        Assert.True(
            names.Length <= limit,
            $"EventBus.Core has {names.Length} {kind}, and {limit} are the limit. Make one internal, or use a type of .NET or a tuple "
                + $"instead:{Environment.NewLine}{string.Join(Environment.NewLine, names)}");
    }
}
