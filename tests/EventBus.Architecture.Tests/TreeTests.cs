using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Architecture.Tests;

/// <summary>What holds for every file of the repository.</summary>
public sealed class TreeTests(ITestOutputHelper output)
{
    private const int LongFile = 300;
    private const int LongMethod = 50;
    private const int ManyParameters = 5;

    [Fact]
    public void Tests_WaitForACause_NotForTime() =>
        Rule.NoOffenders(
            from path in Repository.Files("tests", ".cs")
            let tree = CSharpSyntaxTree.ParseText(Repository.Read(path), path: path)
            from access in tree.GetRoot().DescendantNodes().OfType<MemberAccessExpressionSyntax>()
            where Regex.IsMatch(access.ToString(), @"\b(Thread\.Sleep|Task\.Delay)$")
            // An infinite delay until a token is cancelled is a cause, not a time.
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
            "These loops take a processor from what they wait for. Wait with Until, or with AdvanceUntilAsync of a fake time:");

    [Fact]
    public void Files_OfTheTree_AreFinished()
    {
        // Put together, so that this file does not speak of it.
        var unfinished = new Regex($@"\b({string.Join('|', "TO" + "DO", "FIX" + "ME", "HA" + "CK", "XX" + "X")})\b");
        Rule.NoOffenders(
            from path in Repository.Files()
            where Path.GetExtension(path) is ".cs" or ".md" or ".sh" or ".yml" or ".yaml" or ".props" or ".targets" or ".csproj" or ""
            from line in File.ReadLines(Path.Combine(Repository.Root, path)).Index()
            where unfinished.IsMatch(line.Item)
            select $"{path}({line.Index + 1}): {line.Item.Trim()}",
            "These lines promise work instead of doing it. Do it, or write an issue:");
    }

    [Fact]
    public void Lengths_BeyondTheGuide_AreReported()
    {
        foreach (var project in SourceProject.All)
        {
            var files = project.Files.Select(file => (
                Where: file.FilePath,
                Length: file.GetText(TestContext.Current.CancellationToken).Lines.Count)).Where(file => file.Length > LongFile);
            var methods = project.Nodes<BaseMethodDeclarationSyntax>()
                .Select(found => (
                    Where: $"{found.Node.Where} {found.Model.GetDeclaredSymbol(found.Node)?.ShortName}",
                    Length: LinesOf(found.Node)))
                .Where(method => method.Length > LongMethod);
            var constructors = project.Types.SelectMany(type => type.InstanceConstructors)
                .Where(constructor => !constructor.IsImplicitlyDeclared && constructor.Parameters.Length > ManyParameters)
                .Select(constructor => (
                    Where: $"{constructor.Where} {constructor.ContainingType.Name}",
                    Length: constructor.Parameters.Length));
            Report("file, lines", files);
            Report("method, lines", methods);
            Report("constructor, parameters", constructors);
        }
    }

    private static int LinesOf(SyntaxNode node) =>
        node.GetLocation().GetLineSpan() is var span ? span.EndLinePosition.Line - span.StartLinePosition.Line + 1 : 0;

    private void Report(string what, IEnumerable<(string Where, int Length)> found)
    {
        foreach (var (where, length) in found.OrderByDescending(item => item.Length))
        {
            output.WriteLine($"{what}: {length} {where}");
        }
    }
}
