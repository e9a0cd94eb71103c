using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Decides whether an event that was attempted before and never settled may be attempted again: it may have ended its
/// process. Such events of a subscription run one at a time, and each attempt is counted durably before it begins.
/// </summary>
internal sealed class RedeliveryAdmission(
    SubscriptionRuntime subscription, FailureRecorder failures, RedeliveryLock redeliveryLock, BusServices services)
{
    private readonly RedeliveryLimit limit = new(subscription.FailurePolicy.Retry);
    private readonly RedeliveryTurns turns = new(subscription, failures.Releaser, redeliveryLock, services);

    /// <inheritdoc cref="RedeliveryTurns.EntryWaits"/>
    public bool EntryWaits => turns.EntryWaits;

    /// <inheritdoc cref="EntryReleaser.ClaimsAreAttempts"/>
    public bool ClaimsAreAttempts => failures.Releaser.ClaimsAreAttempts;

    /// <summary>Waits until a redelivered event may be attempted, and counts the attempt.</summary>
    /// <param name="delivery">The delivery.</param>
    /// <param name="attempt">Receives the attempt. The caller disposes it in any case.</param>
    /// <returns>False if the delivery was settled without an attempt.</returns>
    public async Task<bool> TryBeginAsync(Delivery delivery, RedeliveredAttempt attempt)
    {
        var (envelope, policy, slots) = (delivery.Envelope, subscription.FailurePolicy, subscription.Slots);
        if (await subscription.Attempts.TryTakeRedeliveredAsync(policy, envelope, slots))
        {
            await delivery.AckAsync();
            return false;
        }

        // Reads the count without adding to it.
        attempt.Turn = await turns.EnterAsync();
        if (await subscription.Attempts.CountAsync(policy, envelope, added: default, slots) is not { } earlier)
        {
            await FinishRecordedAsync(delivery);
            return false;
        }

        if (!limit.Allows(earlier.Attempts + 1, earlier.Concurrent))
        {
            await GiveUpAsync(delivery, earlier.Attempts);
            return false;
        }

        var mark = new ConcurrentMark(subscription.Attempts, policy, envelope);
        var run = await turns.BeginRunAsync(limit.MustRunAlone(earlier.Attempts, earlier.Concurrent), mark);
        attempt.Run = run;
        if (delivery.Lost.IsCancellationRequested)
        {
            await delivery.ReleaseAsync();
            return false;
        }

        await run.MarkOthersAsync(slots);
        var added = new AttemptCount(1, run.BeginCounting() ? 1 : 0);
        if (await subscription.Attempts.CountAsync(policy, envelope, added, slots, run.CountStored) is not { } counted)
        {
            run.Dispose();
            await FinishRecordedAsync(delivery);
            return false;
        }

        // Another instance may have counted attempts since the count was read.
        if (!limit.Allows(counted.Attempts, earlier.Concurrent))
        {
            run.Dispose();
            await GiveUpAsync(delivery, counted.Attempts - 1);
            return false;
        }

        // If this attempt ends without ending the process, another event probably ended it in the earlier concurrent
        // attempts: they do not count.
        attempt.Number = counted.Attempts;
        attempt.ChargedAttempts = counted.Attempts - earlier.Concurrent;
        return true;
    }

    /// <summary>
    /// Waits until an entry whose earlier attempt did not end may be attempted, and counts the attempt.
    /// </summary>
    /// <param name="entry">The claimed entry.</param>
    /// <param name="attempt">Receives the attempt. The caller disposes it in any case.</param>
    /// <returns>
    /// The entry including the attempt; null if it was recorded, released or lost without an attempt.
    /// </returns>
    public async Task<FailedEvent?> TryBeginAsync(FailedEvent entry, RedeliveredAttempt attempt)
    {
        // The attempt is counted when its turn has come, and not with the claim: an event before it may end the process
        // while it waits.
        attempt.Turn = await turns.EnterAsync(entry);
        if (attempt.Turn is null)
        {
            return null;
        }

        var next = entry with { Attempts = entry.Attempts + 1 };
        if (!limit.Allows(next.Attempts, entry.Concurrent))
        {
            await failures.RecordAsync(subscription.FailurePolicy, entry, RedeliveryLimit.Exceeded(entry.Attempts), subscription.Slots);
            return null;
        }

        var mark = new ConcurrentMark(subscription.Attempts, subscription.FailurePolicy, entry.Envelope) { Entry = next };
        var run = await turns.BeginRunAsync(limit.MustRunAlone(entry.Attempts, entry.Concurrent), mark, entry);
        attempt.Run = run;
        if (run is null)
        {
            return null;
        }

        await run.MarkOthersAsync(subscription.Slots);
        var counted = run.BeginCounting() ? next with { Concurrent = entry.Concurrent + 1 } : next;
        var isCounted = await subscription.Attempts.BeginAsync(
            subscription.FailurePolicy,
            counted,
            subscription.Slots,
            run.CountStored);

        // Only the earlier concurrent attempts are removed from the count when this attempt ends without ending the
        // process, so the result does not include the mark of this attempt.
        return isCounted ? next : null;
    }

    /// <summary>Records that an event has used up its attempts, and acknowledges its delivery.</summary>
    private async Task GiveUpAsync(Delivery delivery, int attempts)
    {
        var entry = subscription.FailurePolicy.Fresh(delivery.Envelope, attempts);
        await failures.RecordAsync(subscription.FailurePolicy, entry, RedeliveryLimit.Exceeded(attempts), subscription.Slots);
        await delivery.AckAsync();
    }

    /// <summary>
    /// Acknowledges the delivery of an event that is recorded as failed already, by an earlier attempt that ended
    /// before it could acknowledge, or because its attempts cannot be counted.
    /// </summary>
    private async Task FinishRecordedAsync(Delivery delivery)
    {
        await failures.FinishRecordedAsync(subscription.FailurePolicy, delivery.Envelope, subscription.Slots);
        await delivery.AckAsync();
    }
}
