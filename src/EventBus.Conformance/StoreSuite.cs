using System.Collections.Immutable;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>
/// Provides a scenario for each sentence of the contract of the stores (<c>EventBus.Stores</c>). Any test framework, or
/// none, can run them against a package of stores.
/// </summary>
public static class StoreSuite
{
    private static readonly ImmutableArray<StoreScenario> StoreScenarios =
    [
        .. RoundTripScenarios.All,
        .. RecordScenarios.All,
        .. CountScenarios.All,
        .. StateCountScenarios.All,
        .. RefusedScenarios.All,
        .. DueOrderScenarios.All,
        .. ClaimScenarios.All,
        .. ConcurrentClaimScenarios.All,
        .. LineScenarios.All,
        .. BlockedLineScenarios.All,
        .. LineSeparationScenarios.All,
        .. LineRaceScenarios.All,
        .. DeadLetterListScenarios.All,
        .. UnreadBodyScenarios.All,
        .. DeadLetterFindScenarios.All,
        .. DeadLetterScenarios.All,
        .. AlertScenarios.All,
        .. GuardScenarios.All,
        .. GuardProgressScenarios.All,
        .. GuardGapScenarios.All,
        .. GuardRetentionScenarios.All,
        .. ProcessedScenarios.All,
        .. CompletionScenarios.All,
        .. TransactionScenarios.All,
        .. DelayScenarios.All,
        .. DelayCancelScenarios.All,
        .. SagaScenarios.All,
        .. SagaSaveScenarios.All,
        .. SagaLifetimeScenarios.All,
        .. SagaDueScenarios.All,
        .. SagaAlertScenarios.All,
        .. SagaWaitScenarios.All,
        .. SagaListScenarios.All,
        .. RepeatScenarios.All,
        .. SagaRepeatScenarios.All,
        .. SubscriptionScenarios.All,
        .. StoreLifetimeScenarios.All,
        .. StoreOpenScenarios.All,
        .. StoreSeparationScenarios.All,
        .. OutageScenarios.All,
    ];

    /// <summary>The scenarios, in the order of the table.</summary>
    public static IReadOnlyList<Scenario> Scenarios { get; } = [.. StoreScenarios.Select(scenario => scenario.Scenario)];

    /// <summary>
    /// Runs a scenario, or skips it if the stores do not support it. Several scenarios may run at the same time on one
    /// <see cref="StoreBackend"/> instance.
    /// </summary>
    /// <param name="scenario">The name of one of <see cref="Scenarios"/>.</param>
    /// <param name="backend">The stores.</param>
    /// <param name="cancellationToken">Cancels the wait. The stores that the scenario opened are closed.</param>
    /// <returns>The result: passed or skipped.</returns>
    /// <exception cref="ArgumentException">There is no scenario of this name.</exception>
    /// <exception cref="ConformanceException">The stores broke the guarantee.</exception>
    public static async Task<ScenarioResult> RunAsync(string scenario, StoreBackend backend, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        ArgumentNullException.ThrowIfNull(backend);
        var found = StoreScenarios.FirstOrDefault(candidate => candidate.Scenario.Name == scenario)
            ?? throw new ArgumentException(
                $"'{scenario}' is no scenario of stores. Scenarios of transports run with {nameof(ConformanceSuite)}.",
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
    /// Writes the results of one package of stores into its column of the table between <c>&lt;!-- stores --&gt;</c>
    /// and <c>&lt;!-- /stores --&gt;</c>, and the scenarios with their reasons between <c>&lt;!-- store-scenarios
    /// --&gt;</c> and <c>&lt;!-- /store-scenarios --&gt;</c>. Other columns do not change.
    /// </summary>
    /// <param name="document">A Markdown document that contains these markers.</param>
    /// <param name="backend">
    /// The stores. Their name is the heading of their column; a new column is added at the end.
    /// </param>
    /// <param name="results">The results of the scenarios that were run.</param>
    /// <returns>The document with both parts rewritten. The text is unchanged if it was up to date.</returns>
    /// <exception cref="FormatException">A marker is missing.</exception>
    public static string Document(string document, StoreBackend backend, IReadOnlyList<ScenarioResult> results)
    {
        ArgumentNullException.ThrowIfNull(document);
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(results);
        return new GuaranteesTable("stores", "store-scenarios", Scenarios).Update(document, backend.Name, results);
    }

    /// <summary>Runs a scenario; returns the reason if the stores do not support it.</summary>
    private static async Task<string?> RunOrSkipAsync(StoreScenario scenario, StoreBackend backend, CancellationToken cancellationToken)
    {
        await using var run = await StoreRun.CreateAsync(backend);
        var skipReason = scenario.SkipUnless(backend, run.Stores);
        if (skipReason is not null)
        {
            return skipReason;
        }

        await ScenarioRunner.WaitForEndAsync(scenario.Run(run), cancellationToken);
        return null;
    }
}
