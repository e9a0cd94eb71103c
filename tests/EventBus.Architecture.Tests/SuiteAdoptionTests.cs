using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Architecture.Tests;

/// <summary>
/// Limits the work for a custom backend or store: the code of its tests, and the length of the guide.
/// </summary>
public sealed class SuiteAdoptionTests
{
    private const int MaxClassLines = 15;
    private const int MaxGuideLines = 60;

    [Fact]
    public void Classes_ThatAdoptASuite_AreShort()
    {
        var classes = (
            from path in Repository.Files("tests", ".cs")
            let tree = CSharpSyntaxTree.ParseText(Repository.Read(path), path: path)
            from type in tree.GetRoot().DescendantNodes().OfType<ClassDeclarationSyntax>()
            where Adopts(type)
            select (type.Identifier.Text, Lines: LinesOf(type))).ToList();

        Assert.Contains(classes, found => found.Text == "ChannelTransportTests");
        Assert.Contains(classes, found => found.Text == "TableStoreTests");
        Assert.Contains(classes, found => found.Text == "QuorumConformanceTests");
        Rule.NoOffenders(
            classes.Where(found => found.Lines > MaxClassLines).Select(found => $"{found.Text}: {found.Lines} lines"),
            $"These test classes need more than {MaxClassLines} lines to run a suite. Make the suite easier to run:");
    }

    [Fact]
    public void Guide_ToATransport_IsShort()
    {
        var lines = Repository.Read("docs/writing-a-transport.md").TrimEnd().Split('\n').Length;
        Assert.True(lines <= MaxGuideLines, $"docs/writing-a-transport.md has {lines} lines. Shorten it to {MaxGuideLines} lines.");
    }

    /// <summary>
    /// Returns true for a class of one backend whose theory runs the scenarios of a suite, or that derives from such a
    /// class.
    /// </summary>
    private static bool Adopts(ClassDeclarationSyntax type)
    {
        var derives = type.BaseList?.Types.Any(parent => parent.ToString().StartsWith("BackendSuiteTests(", StringComparison.Ordinal)
            || parent.ToString().StartsWith("StoreSuiteTests(", StringComparison.Ordinal)) == true;
        var runs = type.Members.OfType<PropertyDeclarationSyntax>().Any(
            property => property.ExpressionBody?.ToString().Contains("Suite.Scenarios.Select(", StringComparison.Ordinal) == true);
        return !type.Modifiers.Any(SyntaxKind.AbstractKeyword) && (derives || runs);
    }

    private static int LinesOf(SyntaxNode node) =>
        node.GetLocation().GetLineSpan() is var span ? span.EndLinePosition.Line - span.StartLinePosition.Line + 1 : 0;
}
