using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Architecture.Tests;

/// <summary>All that a library logs stands in one file, so that it can be read before it is trusted.</summary>
public sealed class LoggingTests
{
    [Fact]
    public void Messages_OfALibrary_StandInItsLog() =>
        Rule.NoOffenders(
            Messages().Where(message => Path.GetFileName(message.Attribute.SyntaxTree.FilePath) != "Log.cs").Select(message => message.Attribute.Where),
            "These log messages stand outside of the project's Log.cs. Move them there:");

    [Fact]
    public void Messages_OfALibrary_HaveAnIdOfTheirOwn()
    {
        Rule.NoOffenders(Messages().Where(message => IdOf(message.Attribute) is null).Select(message => message.Attribute.Where), "These log messages have no event id. Give each a number:");
        Rule.NoOffenders(
            Messages().GroupBy(message => (message.Project, Id: IdOf(message.Attribute))).Where(group => group.Count() > 1)
                .Select(group => $"{group.Key.Project}, id {group.Key.Id}: {string.Join(", ", group.Select(message => message.Attribute.Where))}"),
            "These log messages share an event id. Give each a number of its own in its project:");
    }

    private static IEnumerable<(string Project, AttributeSyntax Attribute)> Messages() =>
        from project in SourceProject.All
        from found in project.Nodes<AttributeSyntax>()
        where found.Node.Name.ToString() is "LoggerMessage" or "LoggerMessageAttribute"
        select (project.Name, found.Node);

    private static string? IdOf(AttributeSyntax attribute) => attribute.ArgumentList?.Arguments
        .Where((argument, position) => argument.NameEquals is { Name.Identifier.Text: "EventId" } || (argument.NameEquals is null && position == 0))
        .Select(argument => argument.Expression)
        .FirstOrDefault(expression => expression.IsKind(SyntaxKind.NumericLiteralExpression))?.ToString();
}
