using System.Collections.Concurrent;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Renews the leases of the failed events that this instance is handling, together in one call of the store. Cancels
/// the handlers of events whose lease was lost. Thread-safe.
/// </summary>
internal sealed class RetryLeaseRenewer(RetryStore store, TimeSpan duration, BusServices services)
    : LeaseRenewer<RetryLease>("leases", duration / 3, TimeSpan.Zero, services)
{
    // If so many entries in a row cannot be renewed one by one, the store as a whole has failed.
    private const int MaxFailures = 3;

    // The subscriptions with at least one entry that was not renewed. The values are not used.
    private readonly ConcurrentDictionary<string, bool> failing = new(StringComparer.Ordinal);

    /// <summary>The duration of a lease.</summary>
    public TimeSpan Lease => duration;

    protected override int BatchSize => int.MaxValue;

    /// <summary>Renews the lease of a claim until the returned object is disposed.</summary>
    public RetryLease Hold(FailedEvent entry)
    {
        var claim = new RetryLease(this, entry, Time.GetUtcNow() + duration);
        Hold(claim);
        return claim;
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
        // The store does not have an entry that was settled meanwhile: that is no loss of its lease.
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
        var gone = await store.RenewAsync([.. leases.Select(each => each.Entry)], end, stop);
        foreach (var each in leases.Where(each => !gone.Contains(each.Entry.Id)))
        {
            each.LeaseEnd = end;
        }

        Lose(leases.Where(each => gone.Contains(each.Entry.Id)));
    }

    /// <summary>
    /// Renews leases one by one after renewing them together has failed: a damaged entry must not cost the others their
    /// leases.
    /// </summary>
    private async Task RenewOneByOneAsync(IReadOnlyList<RetryLease> leases, CancellationToken stop)
    {
        var (renewed, failed) = (0, 0);
        for (var i = 0; i < leases.Count && (renewed > 0 || failed < MaxFailures); i++)
        {
            try
            {
                await RenewTogetherAsync([leases[i]], stop);
                renewed++;
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                failed++;
                LogNotRenewed(leases[i].Entry, exception);
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
