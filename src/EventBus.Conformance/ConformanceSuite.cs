using System.Collections.Immutable;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>
/// Provides a scenario for each guarantee of the library. Any test framework, or none, can run them against a backend.
/// </summary>
public static class ConformanceSuite
{
    private static readonly ImmutableArray<TransportScenario> TransportScenarios =
    [
        .. DeliveryScenarios.All,
        .. RoutingScenarios.All,
        .. FanOutScenarios.All,
        .. InstanceScenarios.All,
        .. PauseScenarios.All,
        .. NameScenarios.All,
        .. KeyedBusScenarios.All,
        .. TransportInterfaceScenarios.All,
        .. TransportCloseScenarios.All,
        .. FailureScenarios.All,
        .. OperatorScenarios.All,
        .. ExceptionScenarios.All,
        .. OrderScenarios.All,
        .. OrderUnderFailureScenarios.All,
        .. PublishScenarios.All,
        .. PublishLimitScenarios.All,
        .. PublishManyScenarios.All,
        .. LaterPublishScenarios.All,
        .. VersionScenarios.All,
        .. InputScenarios.All,
        .. ForeignScenarios.All,
        .. PressureScenarios.All,
        .. BacklogScenarios.All,
        .. ShutdownUnderLoadScenarios.All,
        .. ShutdownScenarios.All,
        .. HealthScenarios.All,
        .. LogScenarios.All,
        .. BrokerScenarios.All,
    ];

    /// <summary>The scenarios, in the order of the table.</summary>
    public static IReadOnlyList<Scenario> Scenarios { get; } = [.. TransportScenarios.Select(scenario => scenario.Scenario)];

    /// <summary>
    /// Runs a scenario, or skips it if the backend does not support it. Several scenarios may run at the same time on
    /// one <see cref="Backend"/> instance.
    /// </summary>
    /// <param name="scenario">The name of one of <see cref="Scenarios"/>.</param>
    /// <param name="backend">The backend.</param>
    /// <param name="cancellationToken">Cancels the wait. What the scenario started is cleaned up.</param>
    /// <returns>The result: passed or skipped.</returns>
    /// <exception cref="ArgumentException">There is no scenario of this name.</exception>
    /// <exception cref="ConformanceException">The backend broke the guarantee.</exception>
    public static async Task<ScenarioResult> RunAsync(string scenario, Backend backend, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        ArgumentNullException.ThrowIfNull(backend);
        var found = TransportScenarios.FirstOrDefault(candidate => candidate.Scenario.Name == scenario)
            ?? throw new ArgumentException(
                $"'{scenario}' is no scenario of transports. Scenarios of stores run with {nameof(StoreSuite)}.",
                nameof(scenario));

        // The context of a test framework may have a single thread, or block until this call returns.
        await BackendTasks.SwitchToThreadPool();
        return await ScenarioRunner.RunAsync(
            found.Scenario,
            backend.Name,
            backend.Gate,
            () => RunOrSkipAsync(found, backend, cancellationToken),
            cancellationToken);
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

    /// <summary>Runs a scenario; returns the reason if the backend does not support it.</summary>
    private static async Task<string?> RunOrSkipAsync(TransportScenario scenario, Backend backend, CancellationToken cancellationToken)
    {
        await using var run = await TransportRun.CreateAsync(backend);
        var skipReason = scenario.SkipUnless(backend, run.Features);
        if (skipReason is not null)
        {
            return skipReason;
        }

        await ScenarioRunner.WaitForEndAsync(scenario.Run(run), cancellationToken);
        run.ExpectNoSecretInLogs();
        return null;
    }
}
