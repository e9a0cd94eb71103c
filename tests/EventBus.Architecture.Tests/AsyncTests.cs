using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Architecture.Tests;

/// <summary>
/// Checks that waiting is asynchronous, can be cancelled, and is indicated by the name of the method.
/// </summary>
public sealed class AsyncTests
{
    [Fact]
    public void Methods_ThatAreAsync_ReturnATask()
    {
        var methods = SourceProject.All.SelectMany(project => project.Nodes<MethodDeclarationSyntax>())
            .Where(found => found.Node.Modifiers.Any(SyntaxKind.AsyncKeyword)
                && found.Node.ReturnType is PredefinedTypeSyntax { Keyword.RawKind: (int)SyntaxKind.VoidKeyword })
            .Select(found => $"{found.Node.Where}: {found.Node.Identifier}");
        var locals = SourceProject.All.SelectMany(project => project.Nodes<LocalFunctionStatementSyntax>())
            .Where(found => found.Node.Modifiers.Any(SyntaxKind.AsyncKeyword)
                && found.Node.ReturnType is PredefinedTypeSyntax { Keyword.RawKind: (int)SyntaxKind.VoidKeyword })
            .Select(found => $"{found.Node.Where}: {found.Node.Identifier}");
        var lambdas = SourceProject.All.SelectMany(project => project.Nodes<AnonymousFunctionExpressionSyntax>())
            .Where(found => !found.Node.AsyncKeyword.IsKind(SyntaxKind.None)
                && found.Model.GetSymbolInfo(found.Node).Symbol is IMethodSymbol { ReturnsVoid: true })
            .Select(found => $"{found.Node.Where}: a lambda");
        Rule.NoOffenders(
            methods.Concat(locals).Concat(lambdas),
            "These return void: they cannot be awaited, and an exception ends the process. Return a task:");
    }

    [Fact]
    public void Code_WaitingForATask_DoesNotBlock() =>
        Rule.NoOffenders(
            SourceProject.All.SelectMany(project => project.Nodes<MemberAccessExpressionSyntax>()).Where(Blocks)
                .Select(found => (Member(found.Node, found.Model), $"{found.Node.Where} {found.Node}")),
            "These block a thread until a task is done. Await the task, or list the member in Waivers.cs with the reason why it is done "
                + "already:");

    [Fact]
    public void Code_Awaiting_StaysInItsContext() =>
        Rule.NoOffenders(
            SourceProject.All.SelectMany(
                project => project.Nodes<InvocationExpressionSyntax>().Where(found => LeavesTheContext(found, project.IsDeterministic)))
                .Select(found => (Member(found.Node, found.Model), $"{found.Node.Where} {found.Node}")),
            "These leave the context of their caller. Use a plain await, or list the member in Waivers.cs with the reason:");

    [Fact]
    public void Methods_ThatArePublicAndAwaitable_EndInAsync() =>
        Rule.NoOffenders(
            Awaitables()
                .Where(method => !method.Name.EndsWith("Async", StringComparison.Ordinal))
                .Select(method => (method.ShortName, method.Where)),
            "These are awaitable, but their names do not end in Async. Rename them, or list them in Waivers.cs with the reason:");

    [Fact]
    public void Methods_ThatArePublicAndAwaitable_TakeAToken() =>
        Rule.NoOffenders(
            Awaitables()
                .Where(method => !method.Parameters.Any(parameter => parameter.Type.Name == nameof(CancellationToken)))
                .Select(method => (method.ShortName, method.Where)),
            "These cannot be cancelled. Add a CancellationToken as the last parameter, or list them in Waivers.cs with the reason:");

    private static IEnumerable<IMethodSymbol> Awaitables() =>
        SourceProject.All.SelectMany(project => project.Types).Where(type => type.IsPublic && type.TypeKind != TypeKind.Delegate)
            .SelectMany(type => type.GetMembers().OfType<IMethodSymbol>())
            .Where(method => method is { MethodKind: MethodKind.Ordinary, IsImplicitlyDeclared: false }
                && method.IsPublic
                && method.ReturnType.IsAsyncResult);

    private static bool Blocks((MemberAccessExpressionSyntax Node, SemanticModel Model) found) => found.Node.Name.Identifier.Text switch
    {
        "Result" => found.Model.GetTypeInfo(found.Node.Expression).Type.IsTask,
        "Wait" => found.Model.GetTypeInfo(found.Node.Expression).Type is { } type
            && (type.IsTask || type.Name is "SemaphoreSlim" or "ManualResetEventSlim" or "CountdownEvent" or "Barrier"),
        "WaitOne" or "WaitAll" or "WaitAny" => true,
        "GetResult" => found.Node.Expression is InvocationExpressionSyntax
        {
            Expression: MemberAccessExpressionSyntax { Name.Identifier.Text: "GetAwaiter" }
        },
        _ => false,
    };

    // ConfigureAwait(false) is forbidden everywhere. An option that leaves the context is forbidden only in code that a
    // simulator must be able to run deterministically.
    private static bool LeavesTheContext((InvocationExpressionSyntax Node, SemanticModel Model) found, bool deterministic) =>
        found.Node.Expression is MemberAccessExpressionSyntax { Name.Identifier.Text: "ConfigureAwait" }
            && found.Node.ArgumentList.Arguments is [var argument, ..]
            && found.Model.GetConstantValue(argument.Expression).Value switch
            {
                bool continues => !continues,
                int options => deterministic && !((ConfigureAwaitOptions)options).HasFlag(ConfigureAwaitOptions.ContinueOnCapturedContext),
                _ => true,
            };

    private static string Member(SyntaxNode node, SemanticModel model) =>
        node.Ancestors()
            .OfType<MemberDeclarationSyntax>()
            .Select(member => model.GetDeclaredSymbol(member))
            .First(symbol => symbol is not null)!.ShortName;
}
