using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Checks that a failure store accepts writes: stores an entry that belongs to no subscription, and removes it. Only
/// reads from a queue of a broker.
/// </summary>
internal sealed class StoreProbe(RetryStore store, TimeProvider time)
{
    // Names of subscriptions cannot contain a slash, so this is never one.
    private const string ProbeSubscription = "eventbus/probe";
    private const int ClaimSize = 16;

    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);

    /// <summary>Makes one probe.</summary>
    /// <exception cref="Exception">The store does not work.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (store is not KeyedFailureStore)
        {
            // A queue of a broker cannot store an entry without a subscription, so the probe only reads.
            await store.DeadLetters.CountAsync(cancellationToken);
            return;
        }

        // Two probes may get the same id: the second one finds the entry of the first, which is an answer of the store
        // too.
        var now = time.GetUtcNow();
        var entry = new FailedEvent
        {
            Subscription = ProbeSubscription,
            Envelope = new Envelope(new EnvelopeAttributes { Id = $"{now.UtcTicks}", Name = "eventbus.probe", Time = now }, []),
            Status = FailedEventStatus.Waiting,
            DueAt = now,
            FirstFailedAt = now,
            LastFailedAt = now,
        };
        await store.RecordAsync(entry, cancellationToken);

        // Removes also the entries of earlier probes whose process ended before it removed them.
        foreach (var claimed in (await store.ClaimDueAsync([ProbeSubscription], now, Lease, ClaimSize, cancellationToken)).Entries)
        {
            await store.CompleteAsync(claimed, cancellationToken);
        }
    }
}
