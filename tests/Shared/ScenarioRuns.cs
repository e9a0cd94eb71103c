using System.Runtime.CompilerServices;

namespace EventBus.Conformance;

/// <summary>
/// The results of the scenarios with one backend. Each scenario runs once: its own test and the test of the column in
/// docs/guarantees.md share the result.
/// </summary>
internal sealed class ScenarioRuns(IEnumerable<string> names, Func<string, CancellationToken, Task<ScenarioResult>> run)
{
    private static readonly ConditionalWeakTable<object, ScenarioRuns> ByBackend = [];

    private readonly Dictionary<string, Task<ScenarioResult>> results = new(StringComparer.Ordinal);

    public static ScenarioRuns Of(Backend backend) => ByBackend.GetValue(backend, _ => new ScenarioRuns(
        ConformanceSuite.Scenarios.Select(scenario => scenario.Name),
        (name, token) => ConformanceSuite.RunAsync(name, backend, token)));

    public static ScenarioRuns Of(StoreBackend backend) => ByBackend.GetValue(backend, _ => new ScenarioRuns(
        StoreSuite.Scenarios.Select(scenario => scenario.Name),
        (name, token) => StoreSuite.RunAsync(name, backend, token)));

    /// <summary>Returns the result of one scenario, and runs it if it has not run yet.</summary>
    public Task<ScenarioResult> ResultAsync(string name, CancellationToken cancellationToken)
    {
        if (!results.TryGetValue(name, out var result))
        {
            results[name] = result = run(name, cancellationToken);
        }

        return result;
    }

    /// <summary>Returns the results of all scenarios, and runs the missing ones one after another.</summary>
    public async Task<ScenarioResult[]> ResultsAsync(CancellationToken cancellationToken)
    {
        var all = new List<ScenarioResult>();
        foreach (var name in names)
        {
            all.Add(await ResultAsync(name, cancellationToken));
        }

        return [.. all];
    }

    /// <summary>Runs all scenarios at the same time, whatever their results were.</summary>
    public Task RunAtOnceAsync(CancellationToken cancellationToken) => Task.WhenAll(names.Select(name => run(name, cancellationToken)));
}
