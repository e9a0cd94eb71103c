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
        var held = new ClaimLease(this, claim, Time.GetUtcNow() + duration);
        Hold(held);
        return held;
    }

    protected override async Task<bool> RenewAsync(IReadOnlyList<ClaimLease> leases, CancellationToken stop)
    {
        var renewed = true;
        foreach (var each in leases)
        {
            var end = Time.GetUtcNow() + duration;
            if (await store.RenewAsync(each.Claim.Key, each.Claim.FencingToken, end, stop))
            {
                each.LeaseEnd = end;
            }
            else
            {
                each.Lose();
                renewed = false;
            }
        }

        return renewed;
    }
}
