using Microsoft.CodeAnalysis;

namespace EventBus.Architecture.Tests;

/// <summary>Checks that the libraries compile here, because the other rules use symbols.</summary>
public sealed class SourceProjectTests
{
    // Code of source generators is missing here: the bodies of log methods, the validators of options, and all members
    // of a JSON context.
    private static readonly string[] Generated = ["CS8795", "CS0534", "CS0535", "CS0117", "CS7036"];

    [Fact]
    public void Source_OfEachLibrary_Compiles() =>
        Rule.NoOffenders(
            SourceProject.All.SelectMany(project => project.Compilation.GetDiagnostics(TestContext.Current.CancellationToken))
                .Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error && !Generated.Contains(diagnostic.Id))
                .Select(diagnostic => diagnostic.ToString()),
            "The compiler cannot resolve these. Reference the missing package here, or add the diagnostic that a source generator "
                + "causes:");

    [Fact]
    public void Libraries_OfTheSolution_AreAllChecked() =>
        Rule.NoOffenders(
            SourceProject.All.Where(project => project.Files.Count > 0
                && !File.Exists(Path.Combine(AppContext.BaseDirectory, $"{project.Name}.dll"))).Select(project => project.Name),
            "These libraries are not checked. Reference them in EventBus.Architecture.Tests.csproj:");
}
