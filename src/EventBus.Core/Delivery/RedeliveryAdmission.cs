using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Decides whether an event that was attempted before and never settled may be attempted again: it may have ended its
/// process. Such events of a subscription run one at a time, and each attempt is counted durably before it begins.
/// </summary>
internal sealed class RedeliveryAdmission(
    SubscriptionRuntime subscription, FailureRecorder failures, RedeliveryLock turns, BusServices services)
{
    // The maximum number of concurrent attempts, after the first one, that are not counted. Without a maximum, an event
    // that always ends its process during concurrent attempts would never become a dead letter.
    private const int MaxExcused = 3;

    private int waiting;

    /// <summary>
    /// True if a claimed entry whose earlier attempt may have ended the process was released to the store until its
    /// turn comes.
    /// </summary>
    public bool AnyWaits => Volatile.Read(ref waiting) > 0;

    /// <summary>Waits until a redelivered event may be attempted, and counts the attempt.</summary>
    /// <param name="delivery">The delivery.</param>
    /// <param name="attempt">Receives the attempt. The caller disposes it in any case.</param>
    /// <returns>False if the delivery was settled without an attempt.</returns>
    public async Task<bool> TryBeginAsync(Delivery delivery, RedeliveredAttempt attempt)
    {
        var (envelope, policy, slots) = (delivery.Envelope, subscription.Failure, subscription.Slots);
        if (await subscription.Attempts.TryTakeRedeliveredAsync(policy, envelope, slots))
        {
            await delivery.AckAsync();
            return false;
        }

        attempt.Turn = await EnterTurnAsync();
        var count = await subscription.Attempts.CountAsync(policy, envelope, default, slots);
        if (count is var (earlier, concurrent) && MayBegin(earlier + 1, concurrent))
        {
            var run = await EnterAsync(
                IsToRunAlone(earlier, concurrent),
                new ConcurrentMark(subscription.Attempts, policy, envelope));
            attempt.Run = run;
            if (delivery.Lost.IsCancellationRequested)
            {
                await delivery.ReleaseAsync();
                return false;
            }

            await run.CountOthersAsync(slots);
            var added = new AttemptCount(1, run.BeginCounting() ? 1 : 0);
            count = await subscription.Attempts.CountAsync(policy, envelope, added, slots, run.Counted);
            if (count is var (number, _) && MayBegin(number, concurrent))
            {
                // If this attempt ends without ending the process, the other event probably ended it in the earlier
                // concurrent attempts: they do not count.
                (attempt.Number, attempt.Counted) = (number, number - concurrent);
                return true;
            }

            run.Dispose();
            count = count is { } counted ? counted with { Attempts = counted.Attempts - 1 } : null;
        }

        await GiveUpAsync(envelope, count?.Attempts);
        await delivery.AckAsync();
        return false;
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
        // The process of the previous owner has probably ended because of this event. The attempt is counted when its
        // turn has come and not with the claim: events before it may end the process while it waits.
        attempt.Turn = await EnterTurnAsync(entry);
        if (attempt.Turn is null)
        {
            return null;
        }

        var next = entry with { Attempts = entry.Attempts + 1 };
        if (!MayBegin(next.Attempts, entry.Concurrent))
        {
            await failures.RecordAsync(subscription.Failure, entry, ProcessEnded(entry.Attempts), subscription.Slots);
            return null;
        }

        var mark = new ConcurrentMark(subscription.Attempts, subscription.Failure, entry.Envelope) { Entry = next };
        attempt.Run = await EnterAsync(IsToRunAlone(entry.Attempts, entry.Concurrent), mark, entry);
        if (attempt.Run is not { } run)
        {
            return null;
        }

        await run.CountOthersAsync(subscription.Slots);
        var counted = next with { Concurrent = entry.Concurrent + (run.BeginCounting() ? 1 : 0) };
        return await subscription.Attempts.BeginAsync(subscription.Failure, counted, subscription.Slots, run.Counted) ? next : null;
    }

    /// <summary>Records that an event has used up its attempts, unless it is recorded as failed already.</summary>
    private Task GiveUpAsync(Envelope envelope, int? attempts) => attempts is { } spent
        ? failures.RecordAsync(
            subscription.Failure,
            subscription.Failure.Fresh(envelope, spent),
            ProcessEnded(spent),
            subscription.Slots)

        // The event was recorded as failed in an earlier attempt, which ended before it could acknowledge the delivery.
        : failures.FinishRecordedAsync(subscription.Failure, envelope, subscription.Slots);

    /// <summary>
    /// True if an attempt is within the allowed number. The second attempt always is: the first delivery may have been
    /// only buffered.
    /// </summary>
    /// <remarks>
    /// Of the earlier concurrent attempts, the first counts, because this event may have ended the process. In later
    /// ones, this event had already run for a long time, so the other event more probably ended the process.
    /// </remarks>
    private bool MayBegin(int attempt, int concurrent)
    {
        var counted = attempt - Math.Clamp(concurrent - 1, 0, MaxExcused);
        return counted <= 2 || subscription.Failure.Retry.Allows(counted - 1);
    }

    /// <summary>
    /// True if the next attempt must run alone: after the process has ended during a concurrent attempt, or when it is
    /// the last attempt. It must be certain which event ends the process.
    /// </summary>
    private bool IsToRunAlone(int attempts, int concurrent) => concurrent > 0 || !MayBegin(attempts + 2, concurrent);

    private static Rejected ProcessEnded(int attempts) =>
        new(new Rejection(
            DeadLetterReason.ProcessEnded,
            $"The process ended {attempts} times while the handler ran, or was stopped without notice. The event is not attempted again. "
                + "Find the cause: a stack overflow, lack of memory, a native crash."));

    private async Task<RedeliveryLock.Turn> EnterTurnAsync()
    {
        var entering = turns.EnterAsync(services.Abort);
        await subscription.Slots.WaitWithoutAsync(entering, services.Abort);
        return await entering;
    }

    /// <summary>
    /// Waits for the turn of a claimed entry. Null if the entry had to wait: it was released meanwhile, and can be
    /// claimed again now.
    /// </summary>
    private async Task<RedeliveryLock.Turn?> EnterTurnAsync(FailedEvent entry)
    {
        if (!failures.ClaimsAreAttempts)
        {
            return await EnterTurnAsync();
        }

        var entering = turns.EnterAsync(services.Abort);
        if (!entering.IsCompleted)
        {
            await ReleaseUntilAsync(entry, entering);
            (await entering).Dispose();
            return null;
        }

        return await entering;
    }

    /// <summary>Waits until the coordinator lets the event run. The caller holds a slot.</summary>
    private async Task<RedeliveryRun> EnterAsync(bool alone, ConcurrentMark mark)
    {
        var arrived = services.Time.GetTimestamp();
        while (true)
        {
            if (turns.Coordinator.TryEnter(alone, arrived, mark) is { } run)
            {
                return run;
            }

            await subscription.Slots.WaitWithoutAsync(turns.Coordinator.WhenFreeAsync(alone, arrived, services.Abort), services.Abort);
        }
    }

    /// <summary>
    /// Enters the coordinator with a claimed entry. Null if the entry had to wait: it was released meanwhile, and can
    /// be claimed again now.
    /// </summary>
    private async Task<RedeliveryRun?> EnterAsync(bool alone, ConcurrentMark mark, FailedEvent entry)
    {
        if (!failures.ClaimsAreAttempts)
        {
            return await EnterAsync(alone, mark);
        }

        var arrived = services.Time.GetTimestamp();
        if (turns.Coordinator.TryEnter(alone, arrived, mark) is { } run)
        {
            return run;
        }

        await ReleaseUntilAsync(entry, turns.Coordinator.WhenFreeAsync(alone, arrived, services.Abort));
        return null;
    }

    /// <summary>
    /// Releases a claimed entry and waits until its turn may have come: if the process ended while it waits, its claim
    /// would count as an attempt.
    /// </summary>
    private async Task ReleaseUntilAsync(FailedEvent entry, Task free)
    {
        Interlocked.Increment(ref waiting);
        try
        {
            await failures.ReleaseAsync(entry, subscription.Slots);
            await subscription.Slots.WaitWithoutAsync(free, services.Abort);
        }
        finally
        {
            Interlocked.Decrement(ref waiting);
        }
    }
}
