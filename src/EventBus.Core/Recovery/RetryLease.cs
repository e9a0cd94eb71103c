using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Represents the lease of a failed event that this instance is handling. Disposing it ends the renewal.
/// </summary>
internal sealed class RetryLease(RetryLeaseRenewer owner, FailedEvent entry, DateTimeOffset leaseEnd) : Lease(leaseEnd), IDisposable
{
    public FailedEvent Entry => entry;

    public void Dispose() => owner.Release(this);
}
