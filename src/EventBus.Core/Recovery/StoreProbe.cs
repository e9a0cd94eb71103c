using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Asks a failure store to keep an entry of no subscription, and to remove it again: whether it takes anything at all.</summary>
internal sealed class StoreProbe(FailureStore store, TimeProvider time)
{
    // Names of subscriptions hold no slash, so that this is never one.
    private const string Nobody = "eventbus/probe";
    private const int Most = 16;

    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);

    /// <exception cref="Exception">It does not.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (!store.IsKeyed)
        {
            // A queue has no place for what belongs to no subscription.
            await store.CountDeadAsync(new DeadLetterFilter(), cancellationToken);
            return;
        }

        // Two probes with one id do no harm: the second finds the first, and the store has answered.
        var now = time.GetUtcNow();
        var entry = new FailedEvent
        {
            Subscription = Nobody,
            Envelope = new Envelope(new EnvelopeAttributes { Id = $"{now.UtcTicks}", Name = "eventbus.probe", Time = now }, []),
            Status = FailedEventStatus.Waiting,
            DueAt = now,
            FirstFailedAt = now,
            LastFailedAt = now,
        };
        await store.RecordAsync(entry, cancellationToken);

        // Also what an earlier probe left, whose process ended in between.
        foreach (var claimed in (await store.ClaimDueAsync([Nobody], now, Lease, Most, cancellationToken)).Entries)
        {
            await store.CompleteAsync(claimed, cancellationToken);
        }
    }
}
