using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>A promise of the stores, and the run that proves it.</summary>
internal sealed class StoreScenario(string name, string reason, Func<StoreRun, Task> run, bool exclusive = false)
{
    /// <summary>What people see of it.</summary>
    public Scenario Scenario { get; } = new(name, reason, _ => throw new ArgumentException($"'{name}' is a scenario of stores: run it with {nameof(StoreSuite)}.")) { Exclusive = exclusive };

    public Func<StoreRun, Task> Run => run;

    /// <summary>Why the stores are ruled out; null when they are not.</summary>
    public Func<StoreBackend, BusStores, string?> RuledOut { get; init; } = (_, _) => null;
}
