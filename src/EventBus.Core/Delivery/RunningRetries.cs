using System.Collections.Concurrent;
using EventBus.Stores;

namespace EventBus;

/// <summary>Starts the retries of claimed entries, and counts those of each subscription. Thread-safe.</summary>
internal sealed class RunningRetries(RetryLeaseRenewer leases, WakeSignal wake, BusServices services)
{
    private readonly ConcurrentDictionary<string, int> counts = new(StringComparer.Ordinal);

    /// <summary>True if no retry is running.</summary>
    public bool IsIdle => counts.Values.All(count => count == 0);

    /// <summary>Returns the number of further retries that a subscription can begin now.</summary>
    public int RoomOf(SubscriptionWorker worker)
    {
        // An entry that waits for its turn is in the store, and would be claimed again at once.
        if (worker.RedeliveredEntryWaits || worker.Pause.IsClosed || worker.CircuitBreaker is { IsPaused: true })
        {
            return 0;
        }

        return worker.Concurrency - counts.GetValueOrDefault(worker.Name);
    }

    /// <summary>Starts the retry of a claimed entry, whose lease is renewed until the retry ends.</summary>
    /// <param name="worker">The worker of its subscription.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="probe">The number of the probe if the retry is one; 0 otherwise.</param>
    public void Start(SubscriptionWorker worker, FailedEvent entry, long probe)
    {
        counts.AddOrUpdate(worker.Name, 1, static (_, count) => count + 1);
        services.Runner.Observe(services.Runner.Start($"{worker.Name} retry", () => RetryAsync(worker, entry, probe, leases.Hold(entry))));
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

            // The end of a retry may make the next entry of its line due, and makes room for another retry.
            counts.AddOrUpdate(worker.Name, 0, static (_, count) => count - 1);
            wake.Pulse();
            services.Idle.Set();
        }
    }
}
