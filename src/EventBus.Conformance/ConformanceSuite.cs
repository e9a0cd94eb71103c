namespace EventBus.Conformance;

/// <summary>Every promise of the library as a scenario, to be run against a backend by any test framework or none.</summary>
public static class ConformanceSuite
{
    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(2);

    /// <summary>The scenarios, in the order of the table.</summary>
    public static IReadOnlyList<Scenario> Scenarios { get; } =
    [
        .. DeliveryScenarios.All,
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

    /// <summary>Runs a scenario, unless the backend is ruled out. Several scenarios may run at once on one <see cref="Backend"/> instance.</summary>
    /// <param name="scenario">The scenario.</param>
    /// <param name="backend">The backend.</param>
    /// <param name="cancellationToken">Ends the waiting; what was started is cleared away.</param>
    /// <returns>Whether it passed or was skipped.</returns>
    /// <exception cref="ConformanceException">The backend broke the promise.</exception>
    public static async Task<ScenarioResult> RunAsync(Scenario scenario, Backend backend, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        ArgumentNullException.ThrowIfNull(backend);

        // Scenarios go on on the pool: a test framework's own context may have one thread, or wait for this call.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        string? skip = null;
        await backend.Gate.RunAsync(scenario.Exclusive, async () => skip = await RunAloneAsync(scenario, backend, cancellationToken), cancellationToken);
        return new ScenarioResult(scenario, skip);
    }

    /// <summary>Writes the results of one backend into its column of the table between <c>&lt;!-- conformance --&gt;</c> and <c>&lt;!-- /conformance --&gt;</c>, and the
    /// scenarios with their reasons between <c>&lt;!-- scenarios --&gt;</c> and <c>&lt;!-- /scenarios --&gt;</c>. Other columns stay as they are.</summary>
    /// <param name="document">A markdown document that holds these markers.</param>
    /// <param name="backend">The backend, by name the heading of its column; a new one is added at the end.</param>
    /// <param name="results">What became of the scenarios that were run.</param>
    /// <returns>The document with both parts rewritten: the same text when it was up to date.</returns>
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
