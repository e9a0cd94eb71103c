using System.Reflection;

namespace EventBus.Conformance;

/// <summary>Holds docs/guarantees.md to what the suite says. Shared by the tests of every backend.</summary>
internal static class Guarantees
{
    /// <summary>Fails when the backend's column is not what the runs say. With EVENTBUS_UPDATE_DOCS=1 it rewrites the column instead.</summary>
    public static async Task CompareAsync(Backend backend, IEnumerable<Task<ScenarioResult>> runs, CancellationToken cancellationToken)
    {
        var results = await Task.WhenAll(runs);
        var root = typeof(Guarantees).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == "RepositoryRoot").Value!;
        var path = Path.Combine(root, "docs", "guarantees.md");
        var written = await File.ReadAllTextAsync(path, cancellationToken);
        var actual = ConformanceSuite.Document(written, backend, results);
        if (Environment.GetEnvironmentVariable("EVENTBUS_UPDATE_DOCS") == "1")
        {
            await File.WriteAllTextAsync(path, actual, cancellationToken);
            return;
        }

        Assert.True(written == actual, "docs/guarantees.md does not say what the suite says. Run this test with EVENTBUS_UPDATE_DOCS=1 to rewrite it, and read the difference before you commit it.");
    }
}
