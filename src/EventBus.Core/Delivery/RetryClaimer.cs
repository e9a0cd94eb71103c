using EventBus.Stores;

namespace EventBus;

/// <summary>Claims failed events that are due.</summary>
/// <remarks>
/// In a queue of a broker, a claim counts as an attempt if the process ends. An event that runs alone may end it, so no
/// entry of such a store is claimed meanwhile, and the event begins when no earlier claim is undecided.
/// </remarks>
internal sealed class RetryClaimer(RetryStore store, RetryLeaseRenewer leases, RedeliveryCoordinator coordinator, BusServices services)
{
    private readonly bool claimsAreAttempts = store is not KeyedFailureStore;

    /// <inheritdoc cref="RetryStore.ClaimDueAsync"/>
    public async Task<DueBatch<FailedEvent>> ClaimAsync(
        IReadOnlyCollection<string> subscriptions, int max, CancellationToken cancellationToken)
    {
        var now = services.StoreTime.GetUtcNow();
        if (!claimsAreAttempts)
        {
            return await store.ClaimDueAsync(subscriptions, now, leases.Lease, max, cancellationToken);
        }

        if (!coordinator.TryBeginClaim(out var wait))
        {
            return new DueBatch<FailedEvent>([], now + wait);
        }

        IReadOnlyList<FailedEvent> claimed = [];
        try
        {
            var batch = await store.ClaimDueAsync(subscriptions, now, leases.Lease, max, cancellationToken);
            claimed = batch.Entries;
            return batch;
        }
        finally
        {
            coordinator.Undecided.EndCall(claimed);
        }
    }

    /// <summary>Declares that the retry of an entry has ended, whether it began an attempt or not.</summary>
    public void End(FailedEvent entry) => coordinator.Undecided.Decide(entry);
}
