using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Represents a guarantee of the stores, and the method that tests it.</summary>
internal sealed class StoreScenario(string name, string reason, Func<StoreRun, Task> run, bool exclusive = false)
{
    /// <summary>The public description of the scenario.</summary>
    public Scenario Scenario { get; } = new(name, reason, exclusive);

    public Func<StoreRun, Task> Run => run;

    /// <summary>
    /// Returns the reason to skip the scenario if the stores do not support it; otherwise null. Default: never skipped.
    /// </summary>
    public Func<StoreBackend, BusStores, string?> SkipUnless { get; init; } = (_, _) => null;
}
