namespace EventBus;

/// <summary>Represents the lease of a claim whose handler runs. Disposing it ends the renewal.</summary>
internal sealed class ClaimLease(ClaimLeaseRenewer owner, EventClaim claim, DateTimeOffset leaseEnd) : Lease(leaseEnd), IDisposable
{
    public EventClaim Claim => claim;

    public void Dispose() => owner.Release(this);
}
