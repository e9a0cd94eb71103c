using System.Collections.Concurrent;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Renews the leases of the failed events that this instance is handling, and cancels the handlers of those that were lost. Thread-safe.</summary>
internal sealed class RetryLeaseRenewer(FailureStore store, TimeSpan lease, TimeProvider time, ILogger log)
{
    private const string Activity = "leases";

    private const int MostInVain = 3;

    private readonly ConcurrentDictionary<FailedEvent, Held> held = new(ReferenceEqualityComparer.Instance);

    // The subscriptions of which one entry at least was not renewed.
    private readonly List<string> failing = [];

    /// <summary>Keeps a claim until the returned object is disposed.</summary>
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

    /// <summary>What a store does not renew together it may renew one by one: a single damaged entry costs no other its lease.</summary>
    private async Task RenewOneByOneAsync(List<Held> renewing, CancellationToken stop)
    {
        // A store that renews none of the first takes nothing, and would be asked in vain for each.
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

                log.Failing(ActivityOf(entry.Subscription), exception, full => full.NotRenewed(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, exception));
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
        // One that was settled in between is gone because it is done.
        var count = lost.Count(kept => held.TryRemove(kept.Entry, out _) && kept.Lose());
        if (count > 0)
        {
            log.ClaimsLost(count);
        }
    }

    /// <summary>A claim that is being kept.</summary>
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

        /// <summary>Ends the keeping. The source is left to the collector: its callbacks may be running.</summary>
        public void Dispose() => owner.held.TryRemove(entry, out _);
    }
}
