using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Architecture.Tests;

/// <summary>
/// Checks that no exception reaches the client of Kafka: it would drop the record that it is about to return, or end
/// what its thread does.
/// </summary>
public sealed class ClientCallbackTests
{
    private static readonly SourceProject Kafka = SourceProject.All.Single(project => project.Name == "EventBus.Kafka");

    [Fact]
    public void Callbacks_GivenToAClient_CatchEverything()
    {
        var callbacks = Callbacks().ToList();

        Assert.True(callbacks.Count > 10, "the callbacks are found");
        Rule.NoOffenders(
            callbacks.Where(callback => !IsOneTry(callback.Called)).Select(callback => $"{callback.Given.Where}: {callback.Given}"),
            "These are called by the client, and may throw. Call one method whose body is one try that catches every exception:");
    }

    /// <summary>Finds what is given to <c>Set...Handler</c> and to <c>Send</c>, and the method that it calls.</summary>
    private static IEnumerable<(SyntaxNode Given, ISymbol? Called)> Callbacks() =>
        from found in Kafka.Nodes<InvocationExpressionSyntax>()
        where found.Node.Expression is MemberAccessExpressionSyntax
        let name = ((MemberAccessExpressionSyntax)found.Node.Expression).Name.Identifier.Text
        where IsSetter(name)
            || found.Model.GetSymbolInfo(found.Node).Symbol is IMethodSymbol { Name: "Send", ContainingType.Name: "KafkaProducer" }
        let given = found.Node.ArgumentList.Arguments[^1].Expression
        let call = given is LambdaExpressionSyntax lambda ? lambda.ExpressionBody : given
        select ((SyntaxNode)given, call is null ? null : found.Model.GetSymbolInfo(call).Symbol);

    private static bool IsSetter(string name) =>
        name.StartsWith("Set", StringComparison.Ordinal) && name.EndsWith("Handler", StringComparison.Ordinal);

    private static bool IsOneTry(ISymbol? called) =>
        called?.DeclaringSyntaxReferences.FirstOrDefault()?.GetSyntax() is MethodDeclarationSyntax
        {
            Body.Statements: [TryStatementSyntax { Catches: [.., var last], Finally: null } attempt]
        }
        && last is { Filter: null, Declaration: null or { Type: IdentifierNameSyntax { Identifier.Text: "Exception" } } }
        && !attempt.Catches.SelectMany(each => each.DescendantNodes()).Any(node => node is ThrowStatementSyntax or ThrowExpressionSyntax);
}
