using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Architecture.Tests;

/// <summary>Checks that two buses in one process share no state, and that no string selects a type.</summary>
public sealed class StateTests
{
    private static readonly string[] Changeable =
    [
        "List",
        "Dictionary",
        "HashSet",
        "Queue",
        "Stack",
        "SortedDictionary",
        "SortedSet",
        "LinkedList",
        "ConcurrentDictionary",
        "ConcurrentQueue",
        "ConcurrentBag",
        "ConcurrentStack",
        "ConditionalWeakTable",
        "MemoryCache",
        "StringBuilder",
        "Channel",
        "SemaphoreSlim",
        "Lock",
        "Random",
        "AsyncLocal",
        "ThreadLocal",
        "CancellationTokenSource",
        "TaskCompletionSource",
        "IDictionary", "IList", "ICollection", "ISet",
    ];

    [Fact]
    public void Statics_OfALibrary_AreImmutable() =>
        Rule.NoOffenders(
            SourceProject.All.SelectMany(project => project.Types)
                .SelectMany(type => type.GetMembers())
                .Where(member => member.IsStatic && Changes(member))
                .Select(member => (member.ShortName, member.Where)),
            "These statics are mutable, so that two buses or two tests would share state. Make them fields of an object of the bus, or "
                + "list them in Waivers.cs with the reason:");

    [Fact]
    public void Types_OfALibrary_AreNeverLookedUpByName() =>
        Rule.NoOffenders(
            SourceProject.All.SelectMany(project => project.Nodes<InvocationExpressionSyntax>())
                .Where(found => found.Model.GetSymbolInfo(found.Node) is var info
                    && (info.Symbol ?? info.CandidateSymbols.FirstOrDefault()) is IMethodSymbol method
                    && FindsByName(method))
                .Select(found => $"{found.Node.Where}: {found.Node.Expression}"),
            "These select a type by a value at run time. Capture the type when it is registered:");

    private static bool Changes(ISymbol member) => member switch
    {
        IFieldSymbol { IsImplicitlyDeclared: true } => false,
        IFieldSymbol { IsConst: true } => false,
        IFieldSymbol { IsReadOnly: false } => true,
        IFieldSymbol field => IsChangeable(field.Type),
        IPropertySymbol { SetMethod: not null } => true,
        IPropertySymbol property => IsAuto(property) && IsChangeable(property.Type),
        IEventSymbol => true,
        _ => false,
    };

    private static bool IsChangeable(ITypeSymbol type) => type is IArrayTypeSymbol || Changeable.Contains(type.Name);

    private static bool IsAuto(IPropertySymbol property) =>
        property.ContainingType.GetMembers()
            .OfType<IFieldSymbol>()
            .Any(field => SymbolEqualityComparer.Default.Equals(field.AssociatedSymbol, property));

    private static bool FindsByName(IMethodSymbol method) => (method.ContainingType.ToDisplayString(), method.Name) switch
    {
        ("System.Type", "GetType") => method.IsStatic,
        ("System.Reflection.Assembly", "GetType") => true,
        ("System.Reflection.Assembly", var name) => name.StartsWith("Load", StringComparison.Ordinal),
        ("System.Runtime.Loader.AssemblyLoadContext", var name) => name.StartsWith("Load", StringComparison.Ordinal),
        ("System.Activator", _) => true,
        ("System.AppDomain", var name) => name is "Load" or "CreateInstance",
        _ => false,
    };
}
