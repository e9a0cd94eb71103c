using EventBus.Stores;

namespace EventBus;

/// <summary>Gives access to the store of delayed events while the bus runs.</summary>
internal sealed class DelayedEventManager(CallerContext context, TimeProvider time) : DelayedEvents
{
    private const int MaxLimit = 1_000;

    // Null until the bus has started with a store of delayed events.
    private (DelayStore Store, StoreCalls Calls)? opened;

    /// <summary>Gives access to a store, because the bus has started.</summary>
    /// <param name="store">The store of delayed events.</param>
    /// <param name="timeout">The maximum duration of a call.</param>
    public void Open(DelayStore store, TimeSpan timeout) => opened = (store, new StoreCalls(timeout, time));

    public override Task<IReadOnlyList<DelayedEvent>> ListAsync(int limit = 100, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, MaxLimit);
        return ListCoreAsync(limit, cancellationToken);
    }

    public override Task<bool> CancelAsync(string eventId, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(eventId);
        return CancelCoreAsync(eventId, cancellationToken);
    }

    private async Task<IReadOnlyList<DelayedEvent>> ListCoreAsync(int limit, CancellationToken cancellationToken)
    {
        await context.Leave();
        var (store, calls) = Opened();
        return await calls.AskAsync(token => store.ListAsync(limit, token), "list the delayed events", cancellationToken);
    }

    private async Task<bool> CancelCoreAsync(string eventId, CancellationToken cancellationToken)
    {
        await context.Leave();
        var (store, calls) = Opened();
        return await calls.AskAsync(token => store.CancelAsync(eventId, token), "cancel a delayed event", cancellationToken);
    }

    private (DelayStore Store, StoreCalls Calls) Opened() => opened ?? throw new EventBusException(
        "The delayed events cannot be reached: the bus has not started, or it has no store that keeps delayed events. "
        + "Start the host; add a store, for instance bus.StoreInMemory().");
}
