namespace EventBus;

/// <summary>Renews the leases of the sagas that this instance processes. Thread-safe.</summary>
/// <remarks>
/// A save renews the lease too. The lease is checked every sixth of its duration, and a renewal begins with at least
/// half of the lease left, and the next attempt with a third, so that a busy machine does not lose its leases.
/// </remarks>
internal sealed class SagaLeaseRenewer(SagaRepository repository, TimeSpan duration, BusServices services)
    : LeaseRenewer<LeasedSaga>("saga leases", duration / 6, duration / 6, services)
{
    // The remaining lease time from which a lease is renewed.
    private readonly TimeSpan renewFrom = duration * 2 / 3;

    protected override bool IsDue(LeasedSaga lease, DateTimeOffset now) => lease.LeaseEnd <= now + renewFrom;

    protected override async Task<bool> RenewAsync(IReadOnlyList<LeasedSaga> leases, CancellationToken stop)
    {
        var renewed = true;
        foreach (var leased in leases)
        {
            try
            {
                renewed &= await repository.RenewAsync(leased, renewFrom);
            }
            catch (Exception exception) when (exception is SagaLeaseLostException || repository.Closing.IsCancellationRequested)
            {
                // The bus closes, or the lease of this saga is lost, which its Lost token reports.
                renewed = false;
            }
        }

        return renewed;
    }
}
