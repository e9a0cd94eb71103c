using System.Reflection;

namespace EventBus.Conformance;

/// <summary>Holds docs/guarantees.md to what the suites say. Shared by the tests of every backend.</summary>
internal static class Guarantees
{
    // Two columns of one test program may be rewritten at the same time.
    private static readonly SemaphoreSlim Writing = new(1);

    /// <summary>
    /// Fails when the backend's column is not what the runs say. With EVENTBUS_UPDATE_DOCS=1 it rewrites the column
    /// instead.
    /// </summary>
    public static Task CompareAsync(Backend backend, IEnumerable<Task<ScenarioResult>> runs, CancellationToken cancellationToken) =>
        CompareAsync(runs, (written, results) => ConformanceSuite.Document(written, backend, results), cancellationToken);

    /// <summary>As for a backend, for a column of stores.</summary>
    public static Task CompareAsync(StoreBackend backend, IEnumerable<Task<ScenarioResult>> runs, CancellationToken cancellationToken) =>
        CompareAsync(runs, (written, results) => StoreSuite.Document(written, backend, results), cancellationToken);

    private static async Task CompareAsync(
        IEnumerable<Task<ScenarioResult>> runs,
        Func<string, ScenarioResult[], string> document,
        CancellationToken cancellationToken)
    {
        var results = await Task.WhenAll(runs);
        var root = typeof(Guarantees).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(
            attribute => attribute.Key == "RepositoryRoot").Value!;
        var path = Path.Combine(root, "docs", "guarantees.md");
        await Writing.WaitAsync(cancellationToken);
        try
        {
            var written = await File.ReadAllTextAsync(path, cancellationToken);
            var actual = document(written, results);
            if (Environment.GetEnvironmentVariable("EVENTBUS_UPDATE_DOCS") == "1")
            {
                await File.WriteAllTextAsync(path, actual, cancellationToken);
                return;
            }

            Assert.True(written == actual, "docs/guarantees.md does not say what the suite says. Run this test with "
                + "EVENTBUS_UPDATE_DOCS=1 to rewrite it, and read the difference before you commit it.");
        }
        finally
        {
            Writing.Release();
        }
    }
}
