using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Determines whether the bus is idle: no work is in flight, and none is due in the stores.</summary>
internal sealed class IdleCheck(Transport transport, BusStores? stores, AlertCoordinator? alerts, SagaEngine? sagas, BusServices services)
{
    private bool AreAlertsAndSagasIdle => alerts is not { IsIdle: false } && sagas is not { IsIdle: false };

    /// <summary>Completes when no work is in flight or due, or when the token is cancelled.</summary>
    public Task WhenIdleAsync(CancellationToken cancellationToken) => services.Idle.WaitAsync(IsIdleAsync, cancellationToken);

    /// <summary>
    /// Returns true if no work is in flight or due. Work that moves between the transport and the stores enters one
    /// before it leaves the other.
    /// </summary>
    private async Task<bool> IsIdleAsync()
    {
        var work = transport.Work;
        if (work.Accepted != work.Settled || !AreAlertsAndSagasIdle)
        {
            return false;
        }

        var now = services.StoreTime.GetUtcNow();
        var dueFailures = stores?.Failures is { } failures ? await failures.CountDueAsync(now, CancellationToken.None) : 0;
        var dueDelays = stores?.Delays is { } delays ? await delays.CountDueAsync(now, CancellationToken.None) : 0;
        var isSagaDue = sagas is not null && await sagas.IsAnyDueAsync();
        if (dueFailures > 0 || dueDelays > 0 || isSagaDue)
        {
            return false;
        }

        // Work may have come from a store into the transport while the stores were counted. Then the counters differ.
        return AreAlertsAndSagasIdle && transport.Work == work;
    }
}
