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
    // The maximum number of concurrent attempts, after the first one, that are not counted. Without a maximum, an event
    // that always ends its process during concurrent attempts would never become a dead letter.
    private const int MaxExcused = 3;

    private int waitingEntries;

    /// <summary>
    /// True while an entry whose earlier attempt may have ended the process waits for its turn. The entry was released
    /// to the store, so no entries of the subscription are claimed meanwhile.
    /// </summary>
    public bool EntryWaits => Volatile.Read(ref waitingEntries) > 0;

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
        attempt.Turn = await EnterTurnAsync();
        if (await subscription.Attempts.CountAsync(policy, envelope, added: default, slots) is not { } earlier)
        {
            await FinishRecordedAsync(delivery);
            return false;
        }

        if (!MayBegin(earlier.Attempts + 1, earlier.Concurrent))
        {
            await GiveUpAsync(delivery, earlier.Attempts);
            return false;
        }

        var mark = new ConcurrentMark(subscription.Attempts, policy, envelope);
        var run = await EnterCoordinatorAsync(MustRunAlone(earlier.Attempts, earlier.Concurrent), mark);
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
        if (!MayBegin(counted.Attempts, earlier.Concurrent))
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
        attempt.Turn = await EnterTurnAsync(entry);
        if (attempt.Turn is null)
        {
            return null;
        }

        var next = entry with { Attempts = entry.Attempts + 1 };
        if (!MayBegin(next.Attempts, entry.Concurrent))
        {
            await failures.RecordAsync(subscription.FailurePolicy, entry, ProcessEnded(entry.Attempts), subscription.Slots);
            return null;
        }

        var mark = new ConcurrentMark(subscription.Attempts, subscription.FailurePolicy, entry.Envelope) { Entry = next };
        var run = await EnterCoordinatorAsync(MustRunAlone(entry.Attempts, entry.Concurrent), mark, entry);
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
        await failures.RecordAsync(subscription.FailurePolicy, entry, ProcessEnded(attempts), subscription.Slots);
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

    /// <summary>
    /// True if an attempt is within the allowed number. The second attempt always is: the first delivery may have been
    /// only buffered.
    /// </summary>
    /// <remarks>
    /// Of the earlier concurrent attempts, the first counts, because this event may have ended the process. From then
    /// on it runs alone: another event begins only after this one has run for a long time, so the other one more
    /// probably ended the process.
    /// </remarks>
    /// <param name="attempt">The number of the attempt.</param>
    /// <param name="concurrent">The number of earlier attempts that were concurrent.</param>
    private bool MayBegin(int attempt, int concurrent)
    {
        var charged = attempt - Math.Clamp(concurrent - 1, 0, MaxExcused);
        return charged <= 2 || subscription.FailurePolicy.Retry.Allows(charged - 1);
    }

    /// <summary>
    /// True if the next attempt must run alone: after the process has ended during a concurrent attempt, or when it is
    /// the last attempt. It must be certain which event ends the process.
    /// </summary>
    private bool MustRunAlone(int earlierAttempts, int concurrent) => concurrent > 0 || !MayBegin(earlierAttempts + 2, concurrent);

    private static Rejected ProcessEnded(int attempts) =>
        new(new Rejection(
            DeadLetterReason.ProcessEnded,
            $"The process ended {attempts} times while the handler ran, or was stopped without notice. The event is not attempted again. "
                + "Find the cause: a stack overflow, lack of memory, a native crash."));

    /// <summary>Waits for the turn of an event within the subscription. The caller holds a slot.</summary>
    private async Task<RedeliveryLock.Turn> EnterTurnAsync()
    {
        var entering = redeliveryLock.EnterAsync(services.Abort);
        await subscription.Slots.WaitWithoutAsync(entering, services.Abort);
        return await entering;
    }

    /// <summary>
    /// Waits for the turn of a claimed entry. Null if the entry had to wait: it was released meanwhile, and can be
    /// claimed again now.
    /// </summary>
    private async Task<RedeliveryLock.Turn?> EnterTurnAsync(FailedEvent entry)
    {
        if (!failures.Releaser.ClaimsAreAttempts)
        {
            return await EnterTurnAsync();
        }

        var entering = redeliveryLock.EnterAsync(services.Abort);
        if (!entering.IsCompleted)
        {
            await ReleaseUntilAsync(entry, entering);
            (await entering).Dispose();
            return null;
        }

        return await entering;
    }

    /// <summary>Waits until the coordinator lets the event run. The caller holds a slot.</summary>
    private async Task<RedeliveryRun> EnterCoordinatorAsync(bool alone, ConcurrentMark mark)
    {
        var coordinator = redeliveryLock.Coordinator;
        var arrivedAt = services.Time.GetTimestamp();
        var run = coordinator.TryEnter(alone, arrivedAt, mark);
        while (run is null)
        {
            await subscription.Slots.WaitWithoutAsync(coordinator.WhenFreeAsync(alone, arrivedAt, services.Abort), services.Abort);
            run = coordinator.TryEnter(alone, arrivedAt, mark);
        }

        return run;
    }

    /// <summary>
    /// Enters the coordinator with a claimed entry. Null if the entry had to wait: it was released meanwhile, and can
    /// be claimed again now.
    /// </summary>
    private async Task<RedeliveryRun?> EnterCoordinatorAsync(bool alone, ConcurrentMark mark, FailedEvent entry)
    {
        if (!failures.Releaser.ClaimsAreAttempts)
        {
            return await EnterCoordinatorAsync(alone, mark);
        }

        var arrivedAt = services.Time.GetTimestamp();
        var run = redeliveryLock.Coordinator.TryEnter(alone, arrivedAt, mark);
        if (run is null)
        {
            await ReleaseUntilAsync(entry, redeliveryLock.Coordinator.WhenFreeAsync(alone, arrivedAt, services.Abort));
        }

        return run;
    }

    /// <summary>
    /// Releases a claimed entry and waits until its turn may have come: if the process ended while it waits, its claim
    /// would count as an attempt.
    /// </summary>
    private async Task ReleaseUntilAsync(FailedEvent entry, Task free)
    {
        Interlocked.Increment(ref waitingEntries);
        try
        {
            await failures.Releaser.ReleaseAsync(entry, subscription.Slots);
            await subscription.Slots.WaitWithoutAsync(free, services.Abort);
        }
        finally
        {
            Interlocked.Decrement(ref waitingEntries);
        }
    }
}
