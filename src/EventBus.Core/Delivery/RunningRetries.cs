using System.Collections.Concurrent;
using EventBus.Stores;

namespace EventBus;

/// <summary>Starts the retries of claimed entries, and counts those of each subscription. Thread-safe.</summary>
internal sealed class RunningRetries(RetryClaimer claimer, RetryLeaseRenewer leases, WakeSignal wake, BusServices services)
{
    private readonly ConcurrentDictionary<string, int> counts = new(StringComparer.Ordinal);

    /// <summary>True if no retry is running.</summary>
    public bool IsIdle => counts.Values.All(count => count == 0);

    /// <summary>Returns the number of further retries that a subscription can begin now.</summary>
    public int RoomOf(SubscriptionWorker worker)
    {
        // RedeliveredEntryWaits: such an entry was released to the store when it began to wait here, so a claim would
        // return it again at once.
        if (worker.RedeliveredEntryWaits || worker.OperatorGate.IsClosed || worker.CircuitBreaker is { IsPaused: true })
        {
            return 0;
        }

        return worker.Concurrency - counts.GetValueOrDefault(worker.Name);
    }

    /// <summary>Starts the retry of a claimed entry, whose lease is renewed until the retry ends.</summary>
    /// <param name="worker">The worker of its subscription.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="probe">The number of the probe, if the retry is a probe; 0 otherwise.</param>
    public void Start(SubscriptionWorker worker, FailedEvent entry, long probe)
    {
        counts.AddOrUpdate(worker.Name, 1, static (_, count) => count + 1);

        // The lease is held from now on, not from the moment at which the loop gets a thread: the store counts already.
        var lease = leases.Hold(entry);
        services.Runner.Observe(services.Runner.Start($"{worker.Name} retry", () => RetryAsync(worker, entry, probe, lease)));
    }

    private async Task RetryAsync(SubscriptionWorker worker, FailedEvent entry, long probe, RetryLease lease)
    {
        try
        {
            await worker.RetryAsync(entry, probe, lease.Lost);
        }
        finally
        {
            lease.Dispose();
            claimer.End(entry);

            // The end of a retry may make the next entry of its line due, and makes room for another retry.
            counts.AddOrUpdate(worker.Name, 0, static (_, count) => count - 1);
            wake.Pulse();
            services.Idle.Set();
        }
    }
}
