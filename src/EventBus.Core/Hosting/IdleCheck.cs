using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Determines whether the bus is idle: no work is in flight, and none is due in the stores.</summary>
internal sealed class IdleCheck(Transport transport, BusStores? stores, AlertCoordinator? alerts, SagaEngine? sagas, BusServices services)
{
    /// <summary>Completes when no work is in flight or due, or when the token is cancelled.</summary>
    public Task WhenIdleAsync(CancellationToken cancellationToken) => services.Idle.WaitAsync(IsIdleAsync, cancellationToken);

    /// <summary>
    /// Returns true if no work is in flight or due. Work that moves between the transport and the stores enters one
    /// before it leaves the other.
    /// </summary>
    private async Task<bool> IsIdleAsync()
    {
        var before = transport.Work;
        if (before.Accepted != before.Settled || alerts?.IsIdle == false || sagas?.IsIdle == false)
        {
            return false;
        }

        var now = services.StoreTime.GetUtcNow();
        var due = (stores?.Failures is { } failures ? await failures.CountDueAsync(now, CancellationToken.None) : 0)
            + (stores?.Delays is { } kept ? await kept.CountDueAsync(now, CancellationToken.None) : 0);
        var isSagaDue = sagas is not null && await sagas.IsAnyDueAsync();

        // The counters have not changed: no work came from a store into the transport while the stores were counted.
        return due == 0 && !isSagaDue && alerts?.IsIdle != false && sagas?.IsIdle != false && transport.Work == before;
    }
}
