using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Handles one delivery of one subscription from the first step to its settlement. Never throws: every outcome is
/// settled.
/// </summary>
internal sealed class DeliveryProcessor(SubscriptionRuntime subscription, EventRunner runner, FailureRecorder failures, RedeliveryLock suspects, BusServices services)
{
    // The maximum number of concurrent attempts after the first that do not count. Without it, an event that ends its
    // process late, and always during concurrent attempts, would never become a dead letter.
    private const int MaxExcused = 3;

    private readonly BusDiagnostics diagnostics = services.Diagnostics;
    private readonly Type? onlyType = subscription.IsPlain ? subscription.OnlyType : null;
    private readonly AttemptCounter attempts = subscription.Attempts;
    private readonly OnceStep? once = subscription.Once;
    private int waitingSuspects;

    /// <summary>Handles a new delivery.</summary>
    /// <param name="delivery">The delivery; settled when the returned task completes.</param>
    /// <param name="startedAt">The current time as a timestamp.</param>
    public ValueTask HandleAsync(in Delivery delivery, long startedAt)
    {
        var envelope = delivery.Envelope;
        var context = new DeliveryContext(envelope, subscription);
        if (envelope.Payload?.GetType() != onlyType || onlyType is null || delivery.Lost.CanBeCanceled || delivery.EarlierDeliveries > 0 || diagnostics.ObservesProcess)
        {
            return new ValueTask(HandleFullyAsync(delivery, context));
        }

        // Fast path: for a handler that completes synchronously, there is no overhead.
        var fence = 0L;
        if (once is not null && !once.TryClaim(envelope, out fence))
        {
            return new ValueTask(HandleFullyAsync(delivery, context));
        }

        var token = runner.DeadlineFrom(startedAt);
        var running = runner.Start(context, token);
        if (!running.IsCompletedSuccessfully || context.State is not null)
        {
            return new ValueTask(FinishAsync(delivery, context, running, fence, token));
        }

        context.End();
        once?.Complete(envelope, fence, startedAt);
        try
        {
            return delivery.AckAsync();
        }
        catch (Exception exception)
        {
            ReportUnsettled(delivery, exception);
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>
    /// Logs a defect: settlers must not throw. The delivery stays with the transport and is redelivered.
    /// </summary>
    public void ReportUnsettled(in Delivery delivery, Exception exception) => services.Log.SettleFailed(subscription.Name, delivery.Envelope.Name, delivery.Envelope.Id, exception);

    /// <summary>
    /// True if a claimed entry whose earlier attempt may have ended the process was released to the store until its
    /// turn comes. No more entries of the subscription are to be claimed meanwhile.
    /// </summary>
    public bool RedeliveryWaits => Volatile.Read(ref waitingSuspects) > 0;

    /// <summary>
    /// Retries a failed event. Its entry is completed, recorded again, or left until its lease expires if the bus stops
    /// or another instance has taken over.
    /// </summary>
    public async Task RetryAsync(FailedEvent entry, CancellationToken lost)
    {
        if (!entry.WasInterrupted)
        {
            await RetryNowAsync(entry, lost);
            return;
        }

        // The process of the previous owner has probably ended because of this event. The attempt is counted when its
        // turn has come and not with the claim: events before it may end the process while it waits.
        using var turn = await EnterLaneAsync(entry);
        var start = entry with { Attempts = entry.Attempts + 1 };
        if (turn is not null && !MayBegin(start.Attempts, entry.Concurrent))
        {
            await failures.RecordAsync(subscription.Failure, entry, ProcessEnded(entry.Attempts), subscription.Slots);
            return;
        }

        using var run = turn is null ? null : await EnterGateAsync(IsToRunAlone(entry.Attempts, entry.Concurrent), (slots, kept) => attempts.MarkConcurrentAsync(start, slots, kept), entry);
        if (run is null)
        {
            return;
        }

        await run.CountCompanyAsync(subscription.Slots);
        if (await attempts.BeginAsync(subscription.Failure, start with { Concurrent = entry.Concurrent + (run.BeginCounting() ? 1 : 0) }, subscription.Slots, run.Counted))
        {
            await RetryNowAsync(start, lost);
        }
    }

    private async Task RetryNowAsync(FailedEvent entry, CancellationToken lost)
    {
        var context = new DeliveryContext(entry.Envelope, subscription);
        var handling = context.EnsureState();
        (handling.Attempt, handling.ManualRetries, handling.MayBePassed, handling.IsKept) = (entry.Attempts, entry.ManualRetries, subscription.Failure.ContinueWhenBlocked, true);
        while (true)
        {
            var (failure, position) = await runner.RunAsync(context, entry.Envelope, lost);
            if (lost.IsCancellationRequested)
            {
                return;
            }

            if (failure is Interrupted)
            {
                await failures.ReleaseAtStopAsync(entry);
                return;
            }

            if (failure is null)
            {
                await failures.CompleteAsync(subscription.Failure, entry, subscription.Slots);
                return;
            }

            failure = subscription.CircuitBreaker?.Weigh(failure) ?? failure;

            // A rejected event was not attempted, but its claim counted an attempt. Concurrent attempts that ended with
            // the process are not counted: this attempt ended in another way, so the other event probably ended the
            // process.
            var starts = entry.Attempts - entry.Concurrent - (failure is Rejected ? 1 : 0);
            var failed = entry with { Position = position ?? entry.Position, Attempts = starts, Concurrent = 0 };
            if (await failures.RecordAsync(subscription.Failure, failed, failure, subscription.Slots))
            {
                return;
            }
        }
    }

    /// <summary>
    /// True if an attempt is within the allowed number. The second attempt always is: the first delivery may have been
    /// only buffered.
    /// </summary>
    /// <remarks>
    /// Of the earlier concurrent attempts, the first counts, because this event may have ended the process. In later
    /// ones, this event had already run for a long time, so the other event more probably ended the process.
    /// </remarks>
    private bool MayBegin(int start, int accompanied)
    {
        var counted = start - Math.Clamp(accompanied - 1, 0, MaxExcused);
        return counted <= 2 || subscription.Failure.Retry.Allows(counted - 1);
    }

    /// <summary>
    /// True if the next attempt must run alone: after the process has ended during a concurrent attempt, or when it is
    /// the last attempt. It must be certain which event ends the process.
    /// </summary>
    private bool IsToRunAlone(int starts, int accompanied) => accompanied > 0 || !MayBegin(starts + 2, accompanied);

    private static Rejected ProcessEnded(int starts) =>
        new(new Rejection(DeadLetterReason.ProcessEnded, $"The process ended {starts} times while the handler ran, or was stopped without notice. The event is not attempted again. Find the cause: a stack overflow, lack of memory, a native crash."));

    private async Task HandleFullyAsync(Delivery delivery, DeliveryContext context)
    {
        try
        {
            if (delivery.Lost.IsCancellationRequested)
            {
                // Lost while it was only buffered: the new owner handles it.
                await delivery.ReleaseAsync();
            }
            else if (delivery.EarlierDeliveries > 0)
            {
                await HandleRedeliveredAsync(delivery, context);
            }
            else
            {
                await RunAndSettleAsync(delivery, context, 1);
            }
        }
        catch (Exception) when (services.Abort.IsCancellationRequested)
        {
            await delivery.ReleaseAsync();
        }
        catch (Exception exception)
        {
            ReportUnsettled(delivery, exception);
        }
    }

    /// <summary>
    /// Handles an event that was delivered before and not settled: it may have ended its process. Such events of a
    /// subscription run one at a time, and each attempt is counted durably before it begins.
    /// </summary>
    private async Task HandleRedeliveredAsync(Delivery delivery, DeliveryContext context)
    {
        var envelope = delivery.Envelope;
        if (await attempts.TryTakeRedeliveredAsync(subscription.Failure, envelope, subscription.Slots))
        {
            await delivery.AckAsync();
            return;
        }

        using var turn = await EnterLaneAsync();
        var count = await attempts.CountAsync(subscription.Failure, envelope, default, subscription.Slots);
        if (count is var (starts, accompanied) && MayBegin(starts + 1, accompanied))
        {
            using var run = await EnterGateAsync(IsToRunAlone(starts, accompanied), (slots, kept) => attempts.MarkConcurrentAsync(subscription.Failure, envelope, slots, kept));
            if (delivery.Lost.IsCancellationRequested)
            {
                await delivery.ReleaseAsync();
                return;
            }

            await run.CountCompanyAsync(subscription.Slots);
            count = await attempts.CountAsync(subscription.Failure, envelope, new AttemptCount(1, run.BeginCounting() ? 1 : 0), subscription.Slots, run.Counted);
            if (count is var (start, _) && MayBegin(start, accompanied))
            {
                context.EnsureState().Attempt = start;

                // If this attempt ends without ending the process, the other event probably ended it in the earlier
                // concurrent attempts: they do not count.
                await RunAndSettleAsync(delivery, context, start - accompanied);
                return;
            }

            count = count is { } counted ? counted with { Attempts = counted.Attempts - 1 } : null;
        }

        if (count is { } spent)
        {
            await failures.RecordAsync(subscription.Failure, subscription.Failure.Fresh(envelope, spent.Attempts), ProcessEnded(spent.Attempts), subscription.Slots);
        }
        else
        {
            // It was recorded as failed before it could be acknowledged.
            await failures.FinishRecordedAsync(subscription.Failure, envelope, subscription.Slots);
        }

        await delivery.AckAsync();
    }

    private async Task<RedeliveryLock.Turn> EnterLaneAsync()
    {
        var entering = suspects.EnterAsync(services.Abort);
        await subscription.Slots.WaitWithoutAsync(entering, services.Abort);
        return await entering;
    }

    /// <summary>
    /// Waits for the turn of a claimed entry. Null: it had to wait and was released; it can be claimed again now.
    /// </summary>
    private async Task<RedeliveryLock.Turn?> EnterLaneAsync(FailedEvent entry)
    {
        if (!failures.ClaimsAreAttempts)
        {
            return await EnterLaneAsync();
        }

        var entering = suspects.EnterAsync(services.Abort);
        if (!entering.IsCompleted)
        {
            await PutBackUntilAsync(entry, entering);
            (await entering).Dispose();
            return null;
        }

        return await entering;
    }

    /// <summary>Enters the coordinator. The caller holds a slot.</summary>
    private async Task<RedeliveryRun> EnterGateAsync(bool alone, Func<ConcurrencyLimiter, Action, Task> becomesAccompanied)
    {
        var arrived = services.Time.GetTimestamp();
        while (true)
        {
            if (suspects.Gate.TryEnter(alone, arrived, becomesAccompanied) is { } run)
            {
                return run;
            }

            await subscription.Slots.WaitWithoutAsync(suspects.Gate.WhenFreeAsync(alone, arrived, services.Abort), services.Abort);
        }
    }

    /// <summary>
    /// Enters the coordinator with a claimed entry. Null: it had to wait and was released; it can be claimed again now.
    /// </summary>
    private async Task<RedeliveryRun?> EnterGateAsync(bool alone, Func<ConcurrencyLimiter, Action, Task> becomesAccompanied, FailedEvent entry)
    {
        if (!failures.ClaimsAreAttempts)
        {
            return await EnterGateAsync(alone, becomesAccompanied);
        }

        var arrived = services.Time.GetTimestamp();
        if (suspects.Gate.TryEnter(alone, arrived, becomesAccompanied) is { } run)
        {
            return run;
        }

        await PutBackUntilAsync(entry, suspects.Gate.WhenFreeAsync(alone, arrived, services.Abort));
        return null;
    }

    /// <summary>
    /// Releases a claimed entry and waits until its turn may have come: if the process ended while it waits, its claim
    /// would count as an attempt.
    /// </summary>
    private async Task PutBackUntilAsync(FailedEvent entry, Task free)
    {
        Interlocked.Increment(ref waitingSuspects);
        try
        {
            await failures.ReleaseAsync(entry, subscription.Slots);
            await subscription.Slots.WaitWithoutAsync(free, services.Abort);
        }
        finally
        {
            Interlocked.Decrement(ref waitingSuspects);
        }
    }

    private async Task RunAndSettleAsync(Delivery delivery, DeliveryContext context, int start)
    {
        bool settled;
        do
        {
            var (failure, position) = await runner.RunAsync(context, delivery.Envelope, delivery.Lost);
            settled = await SettleAsync(delivery, failure, start, position);
        }
        while (!settled);
    }

    private async Task FinishAsync(Delivery delivery, DeliveryContext context, Task running, long fence, CancellationToken token)
    {
        try
        {
            await SettleAsync(delivery, await OutcomeAsync(delivery.Envelope, context, running, fence, token), 1, null);
        }
        catch (Exception) when (services.Abort.IsCancellationRequested)
        {
            await delivery.ReleaseAsync();
        }
        catch (Exception exception)
        {
            ReportUnsettled(delivery, exception);
        }
    }

    private async Task<Failure?> OutcomeAsync(Envelope envelope, DeliveryContext context, Task running, long fence, CancellationToken token)
    {
        try
        {
            return once is null
                ? await runner.OutcomeAsync(context, running, token)
                : await once.FinishAsync(context, envelope, fence, commit => runner.OutcomeAsync(context, running, token, commit));
        }
        catch (Exception exception) when (!services.Abort.IsCancellationRequested)
        {
            // Not a failure of the handler, which is an outcome: an event that it published could not be sent. On
            // redelivery, the event is recognized as handled, and only its published events are sent.
            return new Threw(exception);
        }
    }

    /// <returns>False when the guard of the event must be asked again.</returns>
    private async Task<bool> SettleAsync(Delivery delivery, Failure? failure, int start, long? position)
    {
        if (delivery.Lost.IsCancellationRequested || failure is Interrupted)
        {
            await delivery.ReleaseAsync();
            return true;
        }

        var envelope = delivery.Envelope;
        if (failure is not null)
        {
            failure = subscription.CircuitBreaker?.Weigh(failure) ?? failure;
            var entry = subscription.Failure.Fresh(envelope, failure is Rejected ? start - 1 : start) with { Position = position };

            // An event that could not be read and has no key does not block other events: it belongs to no order.
            entry = failure is Rejected && envelope.Key is null ? entry with { LineKey = null } : entry;
            if (!await failures.RecordAsync(subscription.Failure, entry, failure, subscription.Slots))
            {
                return false;
            }
        }
        else if (start > 1)
        {
            await attempts.ForgetAsync(subscription.Failure, envelope, subscription.Slots);
        }

        await delivery.AckAsync();
        return true;
    }
}
