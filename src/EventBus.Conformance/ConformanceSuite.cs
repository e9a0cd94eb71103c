namespace EventBus.Conformance;

/// <summary>
/// Provides a scenario for each guarantee of the library. Any test framework, or none, can run them against a backend.
/// </summary>
public static class ConformanceSuite
{
    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(2);

    /// <summary>The scenarios, in the order of the table.</summary>
    public static IReadOnlyList<Scenario> Scenarios { get; } =
    [
        .. DeliveryScenarios.All,
        .. PauseScenarios.All,
        .. NameScenarios.All,
        .. SeamScenarios.All,
        .. FailureScenarios.All,
        .. OrderScenarios.All,
        .. PublishScenarios.All,
        .. InputScenarios.All,
        .. PressureScenarios.All,
        .. LifetimeScenarios.All,
        .. BrokerScenarios.All,
    ];

    /// <summary>
    /// Runs a scenario, or skips it if the backend does not support it. Several scenarios may run at the same time on
    /// one <see cref="Backend"/> instance.
    /// </summary>
    /// <param name="scenario">The scenario.</param>
    /// <param name="backend">The backend.</param>
    /// <param name="cancellationToken">Cancels the wait. What the scenario started is cleaned up.</param>
    /// <returns>The result: passed or skipped.</returns>
    /// <exception cref="ConformanceException">The backend broke the guarantee.</exception>
    public static async Task<ScenarioResult> RunAsync(Scenario scenario, Backend backend, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        ArgumentNullException.ThrowIfNull(backend);

        // Scenarios continue on the thread pool: the context of a test framework may have a single thread, or block
        // until this call returns.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        string? skip = null;
        await backend.Gate.RunAsync(
            scenario.Exclusive,
            async () => skip = await RunAloneAsync(scenario, backend, cancellationToken),
            cancellationToken);
        return new ScenarioResult(scenario, skip);
    }

    /// <summary>
    /// Writes the results of one backend into its column of the table between <c>&lt;!-- conformance --&gt;</c> and
    /// <c>&lt;!-- /conformance --&gt;</c>, and the scenarios with their reasons between <c>&lt;!-- scenarios --&gt;</c>
    /// and <c>&lt;!-- /scenarios --&gt;</c>. Other columns do not change.
    /// </summary>
    /// <param name="document">A Markdown document that contains these markers.</param>
    /// <param name="backend">
    /// The backend. Its name is the heading of its column; a new column is added at the end.
    /// </param>
    /// <param name="results">The results of the scenarios that were run.</param>
    /// <returns>The document with both parts rewritten. The text is unchanged if it was up to date.</returns>
    /// <exception cref="FormatException">A marker is missing.</exception>
    public static string Document(string document, Backend backend, IReadOnlyList<ScenarioResult> results)
    {
        ArgumentNullException.ThrowIfNull(document);
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(results);
        return new GuaranteesTable("conformance", "scenarios", Scenarios).Update(document, backend.Name, results);
    }

    private static async Task<string?> RunAloneAsync(Scenario scenario, Backend backend, CancellationToken cancellationToken)
    {
        try
        {
            await using var run = await ScenarioRun.CreateAsync(backend);
            if (scenario.RuledOut(backend, run.Features) is { } reason)
            {
                return reason;
            }

            await Expect.WithinAsync(scenario.Run(run).WaitAsync(cancellationToken), "the scenario ends", LongestRun);
            run.CheckSecrets();
            return null;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception exception)
        {
            throw ConformanceException.Of(backend.Name, scenario, exception);
        }
    }
}
