using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Architecture.Tests;

/// <summary>Checks every file of the repository.</summary>
public sealed class TreeTests
{
    [Fact]
    public void Tests_ThatWait_WaitForACondition() =>
        Rule.NoOffenders(
            from path in Repository.Files("tests", ".cs")
            let tree = CSharpSyntaxTree.ParseText(Repository.Read(path), path: path)
            from access in tree.GetRoot().DescendantNodes().OfType<MemberAccessExpressionSyntax>()
            where Regex.IsMatch(access.ToString(), @"\b(Thread\.Sleep|Task\.Delay)$")
            // An infinite delay with a token waits for a cause, not for a time.
            where !access.Parent!.ToString().Contains("Timeout.Infinite", StringComparison.Ordinal)
            select (path, $"{access.Where} {access}"),
            "These tests wait for time to pass. Wait for what you expect, with a deadline and a reason; a handler that must not end "
                + "waits for its token:");

    [Fact]
    public void Tests_ThatWait_DoNotSpin() =>
        Rule.NoOffenders(
            from path in Repository.Files("tests", ".cs")
            let tree = CSharpSyntaxTree.ParseText(Repository.Read(path), path: path)
            from loop in tree.GetRoot().DescendantNodes().Where(node => node is WhileStatementSyntax or DoStatementSyntax)
            from pause in loop.DescendantNodes(node => node is not AnonymousFunctionExpressionSyntax).OfType<AwaitExpressionSyntax>()
            where pause.Expression.ToString() == "Task.Yield()"
            select (path, $"{pause.Where} {pause}"),
            "These loops spin while they wait. Wait with Until, or with AdvanceUntilAsync of a fake time:");

    [Fact]
    public void Names_OfTests_AreSubjectConditionOutcome() =>
        Rule.NoOffenders(
            from path in Repository.Files("tests", ".cs")
            from method in CSharpSyntaxTree.ParseText(Repository.Read(path), path: path).GetRoot().DescendantNodes()
                .OfType<MethodDeclarationSyntax>()
            let attributes = method.AttributeLists.SelectMany(list => list.Attributes).Select(attribute => attribute.Name.ToString())
            where attributes.Any(name => name is "Fact" or "Theory")
            where !Regex.IsMatch(method.Identifier.Text, "^[A-Z][A-Za-z0-9]*(_[A-Z][A-Za-z0-9]*){2}$")
            select $"{method.Where} {method.Identifier.Text}",
            "Name these tests Subject_Condition_Outcome:");

    [Fact]
    public void Files_OfTheRepository_HaveNoOpenTasks()
    {
        // Split, so that this file does not contain these words.
        var unfinished = new Regex($@"\b({string.Join('|', "TO" + "DO", "FIX" + "ME", "HA" + "CK", "XX" + "X")})\b");
        Rule.NoOffenders(
            from path in Repository.Files()
            where Path.GetExtension(path) is ".cs" or ".md" or ".sh" or ".yml" or ".yaml" or ".props" or ".targets" or ".csproj" or ""
            from line in File.ReadLines(Path.Combine(Repository.Root, path)).Index()
            where unfinished.IsMatch(line.Item)
            select $"{path}({line.Index + 1}): {line.Item.Trim()}",
            "These lines announce unfinished work. Do it, or write an issue:");
    }
}
