using System.Security.Cryptography;

namespace EventBus.Conformance;

/// <summary>
/// Runs the scenarios of both suites: each when its backend is free, with a time limit, and with a failure reported as
/// a broken guarantee.
/// </summary>
internal static class ScenarioRunner
{
    private static readonly TimeSpan MaxDuration = TimeSpan.FromMinutes(2);

    private static long runs;

    /// <summary>
    /// Creates a name that is unique among the runs of this process by its counter, and among processes by its random
    /// part.
    /// </summary>
    public static string NewIsolation() =>
        $"c{RandomNumberGenerator.GetHexString(8, lowercase: true)}{Interlocked.Increment(ref runs)}";

    /// <summary>
    /// Runs a scenario. Several may run at the same time on one backend, unless one of them is exclusive.
    /// </summary>
    /// <param name="scenario">The scenario.</param>
    /// <param name="backend">The name of the backend.</param>
    /// <param name="gate">The gate of the backend.</param>
    /// <param name="run">
    /// Runs the scenario and returns null, or returns the reason why the backend does not support it.
    /// </param>
    /// <param name="cancellationToken">Cancels the wait for the gate, and the scenario.</param>
    /// <exception cref="ConformanceException">The backend broke the guarantee.</exception>
    public static async Task<ScenarioResult> RunAsync(
        Scenario scenario, string backend, RunGate gate, Func<Task<string?>> run, CancellationToken cancellationToken)
    {
        string? skipReason = null;
        await gate.RunAsync(scenario.Exclusive, RunAndReportAsync, cancellationToken);
        return new ScenarioResult(scenario, skipReason);

        async Task RunAndReportAsync()
        {
            try
            {
                skipReason = await run();
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                throw;
            }
            catch (Exception exception)
            {
                throw ConformanceException.ForGuarantee(backend, scenario, exception);
            }
        }
    }

    /// <summary>Waits until a scenario ends. Throws if it takes longer than 2 minutes.</summary>
    public static Task WaitForEndAsync(Task run, CancellationToken cancellationToken) =>
        Expect.WithinAsync(run.WaitAsync(cancellationToken), "the scenario ends", MaxDuration);
}
