using System.Reflection;

namespace EventBus.Conformance;

/// <summary>Compares docs/guarantees.md with the results of the suites.</summary>
internal static class Guarantees
{
    // Tests of one program may rewrite two columns at the same time.
    private static readonly SemaphoreSlim Writing = new(1);

    /// <summary>
    /// Runs the scenarios that have not run yet, and fails when the backend's column differs from the results. With
    /// EVENTBUS_UPDATE_DOCS=1 it rewrites the column instead.
    /// </summary>
    public static Task CompareAsync(Backend backend, CancellationToken cancellationToken) => CompareAsync(
        ScenarioRuns.Of(backend),
        (written, results) => ConformanceSuite.Document(written, backend, results),
        cancellationToken);

    /// <summary>Does the same for a column of stores.</summary>
    public static Task CompareAsync(StoreBackend backend, CancellationToken cancellationToken) => CompareAsync(
        ScenarioRuns.Of(backend),
        (written, results) => StoreSuite.Document(written, backend, results),
        cancellationToken);

    private static async Task CompareAsync(
        ScenarioRuns runs,
        Func<string, ScenarioResult[], string> document,
        CancellationToken cancellationToken)
    {
        var results = await runs.ResultsAsync(cancellationToken);
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

            Assert.True(written == actual, "docs/guarantees.md differs from the results of the suite. Run this test with "
                + "EVENTBUS_UPDATE_DOCS=1 to rewrite it, and review the difference before you commit it.");
        }
        finally
        {
            Writing.Release();
        }
    }
}
