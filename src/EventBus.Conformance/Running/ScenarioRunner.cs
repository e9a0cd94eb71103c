namespace EventBus.Conformance;

/// <summary>Runs a scenario when its backend is free, and reports a failure as a broken guarantee.</summary>
internal static class ScenarioRunner
{
    private static readonly TimeSpan MaxDuration = TimeSpan.FromMinutes(2);

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
        Scenario scenario,
        string backend,
        RunGate gate,
        Func<Task<string?>> run,
        CancellationToken cancellationToken)
    {
        string? skip = null;
        await gate.RunAsync(scenario.Exclusive, RunAndReportAsync, cancellationToken);
        return new ScenarioResult(scenario, skip);

        async Task RunAndReportAsync()
        {
            try
            {
                skip = await run();
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                throw;
            }
            catch (Exception exception)
            {
                throw ConformanceException.Of(backend, scenario, exception);
            }
        }
    }

    /// <summary>Waits until a scenario ends. Throws if it takes longer than 2 minutes.</summary>
    public static Task WaitForEndAsync(Task run, CancellationToken cancellationToken) =>
        Expect.WithinAsync(run.WaitAsync(cancellationToken), "the scenario ends", MaxDuration);
}
