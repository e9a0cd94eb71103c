namespace EventBus;

/// <summary>Renews the leases of the sagas that this instance processes. Thread-safe.</summary>
/// <remarks>
/// Every save of a saga renews its lease too. The leases are checked each time a sixth of their duration has passed,
/// and renewed from two thirds on: the first renewal begins with at least half of the lease left, and the next with at
/// least a third, so that a busy machine does not lose its leases.
/// </remarks>
internal sealed class SagaLeaseRenewer(SagaRepository repository, TimeSpan duration, BusServices services)
    : LeaseRenewer<LeasedSaga>("saga leases", duration / 6, duration / 6, services)
{
    // A lease with no more than this time left is renewed.
    private readonly TimeSpan renewFrom = duration * 2 / 3;

    protected override bool IsDue(LeasedSaga lease, DateTimeOffset now) => lease.LeaseEnd <= now + renewFrom;

    protected override async Task<bool> RenewAsync(IReadOnlyList<LeasedSaga> leases, CancellationToken stop)
    {
        var allRenewed = true;
        foreach (var leased in leases)
        {
            try
            {
                allRenewed &= await repository.RenewAsync(leased, renewFrom);
            }
            catch (Exception exception) when (exception is SagaLeaseLostException || repository.Closing.IsCancellationRequested)
            {
                // The bus closes, or the lease of this saga is lost, which its Lost token reports.
                allRenewed = false;
            }
        }

        return allRenewed;
    }
}
