using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Renews the leases of the claims of idempotent subscriptions while their handlers run. Thread-safe.
/// </summary>
internal sealed class ClaimLeaseRenewer(ProcessedEventStore store, TimeSpan duration, BusServices services)
    : LeaseRenewer<ClaimLease>("idempotency leases", duration / 3, TimeSpan.Zero, services)
{
    /// <summary>Renews the lease of a claim until the returned object is disposed.</summary>
    public ClaimLease Hold(EventClaim claim)
    {
        var lease = new ClaimLease(this, claim, Time.GetUtcNow() + duration);
        Hold(lease);
        return lease;
    }

    protected override async Task<bool> RenewAsync(IReadOnlyList<ClaimLease> leases, CancellationToken stop)
    {
        var anyRenewed = false;
        foreach (var lease in leases)
        {
            var end = Time.GetUtcNow() + duration;
            if (await store.RenewAsync(lease.Claim.Key, lease.Claim.FencingToken, end, stop))
            {
                lease.LeaseEnd = end;
                anyRenewed = true;
            }
            else
            {
                lease.Lose();
            }
        }

        return anyRenewed;
    }
}
