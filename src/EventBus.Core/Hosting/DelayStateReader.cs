using EventBus.Stores;

namespace EventBus;

/// <summary>Reads the number of delayed events from the store.</summary>
internal sealed class DelayStateReader(DelayStore store, BusServices services) : StateReader(services)
{
    private readonly StateDiagnostics metrics = services.Diagnostics.State;

    protected override string Name => "reading the number of delayed events for the metrics";

    protected override bool IsObserved => metrics.Delayed.IsObserved;

    public override void Clear() => metrics.Delayed.Set([]);

    protected override async Task<bool> ReadValuesAsync(CancellationToken deadline)
    {
        var count = await store.CountAsync(deadline);
        deadline.ThrowIfCancellationRequested();
        metrics.Delayed.Set([metrics.OfSubscription(count, subscription: null)]);
        return true;
    }
}
