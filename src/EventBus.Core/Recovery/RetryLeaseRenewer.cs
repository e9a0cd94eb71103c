using System.Collections.Concurrent;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Renews the leases of the failed events that this instance is handling, together in one call of the store. Cancels
/// the handlers of events whose lease was lost. Thread-safe.
/// </summary>
internal sealed class RetryLeaseRenewer(RetryStore store, TimeSpan duration, BusServices services)
    : LeaseRenewer<RetryLease>("leases", period: duration / 3, margin: TimeSpan.Zero, services)
{
    // If the first leases that are renewed one by one all fail, this many, the store as a whole has failed.
    private const int MaxFailuresAtFirst = 3;

    // The subscriptions with at least one entry that was not renewed. The values are not used.
    private readonly ConcurrentDictionary<string, bool> failing = new(StringComparer.Ordinal);

    /// <summary>The duration of a lease.</summary>
    public TimeSpan Lease => duration;

    protected override int BatchSize => int.MaxValue;

    /// <summary>Renews the lease of a claim until the returned object is disposed.</summary>
    public RetryLease Hold(FailedEvent entry)
    {
        var lease = new RetryLease(this, entry, Time.GetUtcNow() + duration);
        Hold(lease);
        return lease;
    }

    protected override async Task<bool> RenewAsync(IReadOnlyList<RetryLease> leases, CancellationToken stop)
    {
        try
        {
            await RenewTogetherAsync(leases, stop);
        }
        catch (Exception) when (leases.Count > 1 && !stop.IsCancellationRequested)
        {
            await RenewOneByOneAsync(leases, stop);
            throw;
        }

        foreach (var (subscription, _) in failing)
        {
            failing.TryRemove(subscription, out _);
            Log.Working(ActivityOf(subscription));
        }

        return true;
    }

    protected override void Lose(IEnumerable<RetryLease> leases)
    {
        // An entry that was settled during the renewal is no longer in the store, and was released here: its lease is
        // not lost.
        var lost = leases.Where(Release).ToList();
        base.Lose(lost);
        if (lost.Count > 0)
        {
            Log.ClaimsLost(lost.Count);
        }
    }

    private static string ActivityOf(string subscription) => $"leases of {subscription}";

    private async Task RenewTogetherAsync(IReadOnlyList<RetryLease> leases, CancellationToken stop)
    {
        var end = Time.GetUtcNow() + duration;
        var lostIds = await store.RenewAsync([.. leases.Select(lease => lease.Entry)], end, stop);
        foreach (var lease in leases.Where(lease => !lostIds.Contains(lease.Entry.Id)))
        {
            lease.LeaseEnd = end;
        }

        Lose(leases.Where(lease => lostIds.Contains(lease.Entry.Id)));
    }

    /// <summary>
    /// Renews leases one by one after renewing them together has failed: a damaged entry must not cost the others their
    /// leases.
    /// </summary>
    private async Task RenewOneByOneAsync(IReadOnlyList<RetryLease> leases, CancellationToken stop)
    {
        var renewed = 0;
        var failed = 0;
        foreach (var lease in leases)
        {
            if (renewed == 0 && failed == MaxFailuresAtFirst)
            {
                return;
            }

            try
            {
                await RenewTogetherAsync([lease], stop);
                renewed++;
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                failed++;
                LogNotRenewed(lease.Entry, exception);
            }
        }
    }

    private void LogNotRenewed(FailedEvent entry, Exception exception)
    {
        failing.TryAdd(entry.Subscription, true);
        Log.Failing(
            ActivityOf(entry.Subscription),
            exception,
            logger => logger.NotRenewed(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, exception));
    }
}
