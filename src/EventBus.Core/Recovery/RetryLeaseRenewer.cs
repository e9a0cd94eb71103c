using System.Collections.Concurrent;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Renews the leases of the failed events that this instance is handling, and cancels the handlers of events whose
/// lease was lost. Thread-safe.
/// </summary>
internal sealed class RetryLeaseRenewer(RetryStore store, TimeSpan lease, BusServices services)
{
    private const string Activity = "leases";

    private const int MostInVain = 3;

    private readonly TimeProvider time = services.StoreTime;
    private readonly ILogger log = services.Log;
    private readonly ConcurrentDictionary<FailedEvent, Held> held = new(ReferenceEqualityComparer.Instance);

    // The subscriptions with at least one entry that was not renewed.
    private readonly List<string> failing = [];

    /// <summary>The duration of a lease.</summary>
    public TimeSpan Lease => lease;

    /// <summary>Renews the lease of a claim until the returned object is disposed.</summary>
    public Held Hold(FailedEvent entry)
    {
        var kept = new Held(this, entry, time.GetUtcNow());
        held.TryAdd(entry, kept);
        return kept;
    }

    public async Task RunAsync(CancellationToken stop)
    {
        while (true)
        {
            await Task.Delay(lease / 3, time, stop);
            if (!held.IsEmpty)
            {
                await RenewAsync(stop);
            }
        }
    }

    private static string ActivityOf(string subscription) => $"{Activity} of {subscription}";

    private async Task RenewAsync(CancellationToken stop)
    {
        var renewing = held.Values.ToList();
        try
        {
            await RenewAsync(renewing, stop);
            log.Working(Activity);
            failing.ForEach(subscription => log.Working(ActivityOf(subscription)));
            failing.Clear();
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            log.Failing(Activity, exception, full => full.LoopFailed(Activity, exception));
            await RenewOneByOneAsync(renewing, stop);
            Lose(renewing.Where(kept => kept.RenewedAt + lease <= time.GetUtcNow()));
        }
    }

    /// <summary>
    /// Renews leases one by one after renewing them together has failed: a damaged entry must not cost the others their
    /// leases.
    /// </summary>
    private async Task RenewOneByOneAsync(List<Held> renewing, CancellationToken stop)
    {
        // If the store renews none of the first entries, it accepts no writes: trying the others would be useless.
        var (renewed, failed) = (0, 0);
        for (var i = 0; renewing.Count > 1 && i < renewing.Count && (renewed > 0 || failed < MostInVain); i++)
        {
            try
            {
                await RenewAsync([renewing[i]], stop);
                renewed++;
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                failed++;
                var entry = renewing[i].Entry;
                if (!failing.Contains(entry.Subscription))
                {
                    failing.Add(entry.Subscription);
                }

                log.Failing(
                    ActivityOf(entry.Subscription),
                    exception,
                    full => full.NotRenewed(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, exception));
            }
        }
    }

    private async Task RenewAsync(List<Held> renewing, CancellationToken stop)
    {
        var now = time.GetUtcNow();
        var gone = await store.RenewAsync([.. renewing.Select(kept => kept.Entry)], now + lease, stop);
        foreach (var kept in renewing.Where(kept => !gone.Contains(kept.Entry.Id)))
        {
            kept.RenewedAt = now;
        }

        Lose(renewing.Where(kept => gone.Contains(kept.Entry.Id)));
    }

    private void Lose(IEnumerable<Held> lost)
    {
        // An entry that was settled meanwhile is absent because it is done.
        var count = lost.Count(kept => held.TryRemove(kept.Entry, out _) && kept.Lose());
        if (count > 0)
        {
            log.ClaimsLost(count);
        }
    }

    /// <summary>A claim whose lease is being renewed.</summary>
    public sealed class Held(RetryLeaseRenewer owner, FailedEvent entry, DateTimeOffset renewedAt) : IDisposable
    {
        private readonly CancellationTokenSource lost = new();

        public FailedEvent Entry => entry;

        public DateTimeOffset RenewedAt { get; set; } = renewedAt;

        /// <summary>Cancelled when another instance may have taken over.</summary>
        public CancellationToken Lost => lost.Token;

        public bool Lose()
        {
            lost.CancelAsync().Observed();
            return true;
        }

        /// <summary>
        /// Stops the renewal. Does not dispose the token source, because its callbacks may be running.
        /// </summary>
        public void Dispose() => owner.held.TryRemove(entry, out _);
    }
}
