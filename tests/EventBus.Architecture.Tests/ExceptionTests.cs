using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Architecture.Tests;

/// <summary>
/// Checks that only one class reads the texts of an exception. They are code of the application, and may have any
/// length.
/// </summary>
/// <remarks>The libraries of the backends read exceptions of their clients, not of the application.</remarks>
public sealed class ExceptionTests
{
    private static readonly HashSet<string> Texts = ["Message", "StackTrace", "Source", "HelpLink", "Data", "ToString", "GetBaseException"];

    [Fact]
    public void Texts_OfExceptions_AreReadByOneClass() =>
        Rule.NoOffenders(
            from project in SourceProject.All
            where project.IsDeterministic
            from found in Reads(project).Concat(Interpolations(project))
            where Path.GetFileName(found.SyntaxTree.FilePath) != "ExceptionText.cs"
            select ($"{Path.GetFileNameWithoutExtension(found.SyntaxTree.FilePath)}: {found}", found.Where),
            "These read the text of an exception, which may throw, be null, be of any length, or contain content. Use ExceptionText:");

    /// <summary>
    /// A backend implements only the members that it supports. A stream is an exception: its contract requires this
    /// exception type.
    /// </summary>
    [Fact]
    public void NotSupportedException_InALibrary_IsNotThrown() =>
        Rule.NoOffenders(
            from project in SourceProject.All
            where project.Name != "EventBus.Conformance"
            from found in project.Nodes<BaseObjectCreationExpressionSyntax>()
            where found.Model.GetTypeInfo(found.Node).Type?.ToDisplayString() == "System.NotSupportedException"
            where !IsInStream(found.Model.GetEnclosingSymbol(found.Node.SpanStart)?.ContainingType)
            select found.Node.Where,
            "These throw NotSupportedException. Implement a smaller type, or throw an EventBusException that describes the fix:");

    private static IEnumerable<SyntaxNode> Reads(SourceProject project) =>
        from found in project.Nodes<SimpleNameSyntax>()
        where Texts.Contains(found.Node.Identifier.Text)
        let receiver = found.Node.Parent switch
        {
            MemberAccessExpressionSyntax access when access.Name == found.Node => access.Expression,
            MemberBindingExpressionSyntax binding =>
                binding.Ancestors().OfType<ConditionalAccessExpressionSyntax>().FirstOrDefault()?.Expression,
            _ => null,
        }
        where receiver is not BaseExpressionSyntax && receiver is not null && IsException(found.Model.GetTypeInfo(receiver).Type)
        select found.Node.Parent!;

    private static IEnumerable<SyntaxNode> Interpolations(SourceProject project) =>
        from found in project.Nodes<InterpolationSyntax>()
        where IsException(found.Model.GetTypeInfo(found.Node.Expression).Type)
        select (SyntaxNode)found.Node;

    private static bool IsException(ITypeSymbol? type) => IsOrDerives(type, "System.Exception");

    private static bool IsInStream(ITypeSymbol? type) => IsOrDerives(type, "System.IO.Stream");

    private static bool IsOrDerives(ITypeSymbol? type, string name)
    {
        for (; type is not null; type = type.BaseType)
        {
            if (type.ToDisplayString() == name)
            {
                return true;
            }
        }

        return false;
    }
}
