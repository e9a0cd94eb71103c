using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Claims the failed events that are due, and starts their retries.</summary>
internal sealed class RetryScheduler(
    SubscriptionWorkers workers,
    RetryClaimer claimer,
    RunningRetries retries,
    BusServices services)
{
    // The maximum number of entries per claim and subscription.
    private const int ClaimSize = 16;

    // The number of subscriptions for which a claim may fail before one succeeds. One more failure means that the store
    // as a whole has failed.
    private const int MaxFailedClaims = 3;

    private static readonly TimeSpan DelayAfterFailure = TimeSpan.FromSeconds(1);

    private readonly TimeProvider time = services.StoreTime;
    private readonly ILogger log = services.Log;
    private bool lastClaimsFailed;

    /// <summary>True if no claimed entry is in flight.</summary>
    public bool IsIdle => retries.IsIdle;

    /// <summary>
    /// Starts the due retries of the subscriptions that have free slots. Hanging retries of one subscription do not
    /// block other subscriptions.
    /// </summary>
    /// <returns>The time of the next call; null if a wake signal announces it.</returns>
    public async Task<DateTimeOffset?> StartDueAsync(CancellationToken stop)
    {
        DateTimeOffset? next = null;
        foreach (var worker in workers.All.Where(worker => !worker.OperatorGate.IsClosed && worker.CircuitBreaker is { IsPaused: true }))
        {
            next = TimeMath.Earlier(next, await ProbeAsync(worker, stop));
        }

        SubscriptionWorker[] withRoom = [.. workers.All.Where(worker => retries.RoomOf(worker) > 0)];
        if (withRoom.Length == 0)
        {
            // The first retry that ends wakes the loop.
            return next;
        }

        // A claim counts as an attempt. Therefore only as many entries are claimed as can begin at once: otherwise a
        // killed process would use up attempts of entries that only waited.
        var size = Math.Min(ClaimSize, withRoom.Min(retries.RoomOf));
        try
        {
            next = TimeMath.Earlier(next, await ClaimAsync(withRoom, size, stop));
            if (lastClaimsFailed)
            {
                lastClaimsFailed = false;
                Array.ForEach(withRoom, worker => log.Working(ClaimingFor(worker)));
            }

            return next;
        }
        catch (Exception) when (withRoom.Length > 1 && !stop.IsCancellationRequested)
        {
            return TimeMath.Earlier(next, await ClaimOneByOneAsync(withRoom, size, stop));
        }
    }

    private static string ClaimingFor(SubscriptionWorker worker) => $"claims for {worker.Name}";

    /// <summary>
    /// Claims for each subscription separately after claiming for all together has failed: a damaged entry of one
    /// subscription must not block the others.
    /// </summary>
    private async Task<DateTimeOffset?> ClaimOneByOneAsync(SubscriptionWorker[] withRoom, int size, CancellationToken stop)
    {
        DateTimeOffset? next = null;
        var anySucceeded = false;
        var failed = 0;
        foreach (var worker in withRoom)
        {
            try
            {
                next = TimeMath.Earlier(next, await ClaimAsync([worker], size, stop));
                log.Working(ClaimingFor(worker));
                anySucceeded = true;
            }
            catch (Exception exception) when (!stop.IsCancellationRequested && (anySucceeded || failed < MaxFailedClaims))
            {
                failed++;
                lastClaimsFailed = true;
                log.Failing(ClaimingFor(worker), exception, logger => logger.NotClaimed(worker.Name, exception));
                next = TimeMath.Earlier(next, time.GetUtcNow() + DelayAfterFailure);
            }
        }

        return next;
    }

    private async Task<DateTimeOffset?> ClaimAsync(SubscriptionWorker[] withRoom, int size, CancellationToken stop)
    {
        string[] names = [.. withRoom.Select(worker => worker.Name)];
        var claimed = await claimer.ClaimAsync(names, size, stop);
        foreach (var entry in claimed.Entries)
        {
            retries.Start(workers[entry.Subscription], entry, probe: 0);
        }

        // After a full batch, more entries may be due.
        return claimed.Entries.Count >= size ? time.GetUtcNow() : claimed.NextDue;
    }

    /// <summary>
    /// Probes a paused subscription when a probe is due: with a retry that is due, otherwise with the next event that
    /// arrives. After a probe with a retry, the next one is a delivery, if one is waiting.
    /// </summary>
    /// <returns>The time of the next call; null when the end of a retry or a change wakes the loop.</returns>
    private async Task<DateTimeOffset?> ProbeAsync(SubscriptionWorker worker, CancellationToken stop)
    {
        var breaker = worker.CircuitBreaker!;
        var deliveryFirst = breaker.WantsDelivery && worker.HasWaiting;
        if (!breaker.TryBeginProbe(out var probe))
        {
            return breaker.ProbeAt;
        }

        var started = false;
        try
        {
            if (deliveryFirst)
            {
                return null;
            }

            var claimed = await claimer.ClaimAsync([worker.Name], 1, stop);
            if (claimed.Entries is not [var entry])
            {
                return claimed.NextDue;
            }

            // The end of the retry wakes the loop.
            retries.Start(worker, entry, probe);
            started = true;
            return null;
        }
        finally
        {
            if (!started)
            {
                breaker.Withdraw(probe);
            }
        }
    }
}
