using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Records failed events, and events that wait for their turn, before they are acknowledged. Thread-safe.
/// </summary>
internal sealed class FailureRecorder(
    FailureStoreWriter writer,
    OrderTracker order,
    FailureReporter reporter,
    RecordLimits limits,
    BusServices services)
{
    /// <summary>True if at least one write is held because the store accepts no writes.</summary>
    public bool StoreIsDown => writer.StoreIsDown;

    /// <summary>
    /// True if a claim already counts as an attempt when the process ends: a claimed entry must be released while it
    /// waits.
    /// </summary>
    public bool ClaimsAreAttempts => writer.ClaimsAreAttempts;

    /// <summary>Records that an event failed, or that its guard deferred it.</summary>
    /// <exception cref="OperationCanceledException">
    /// The bus stops before the store accepted the write: release the delivery.
    /// </exception>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="entry">The claimed entry or a new one; its attempts include this one.</param>
    /// <param name="failure">The reason of the failure.</param>
    /// <param name="slots">
    /// The limiter in which the caller holds a slot. The slot is free for others while the store accepts no writes.
    /// </param>
    /// <returns>False when the guard must be asked again, because the state of the key has changed since.</returns>
    public async Task<bool> RecordAsync(FailurePolicy policy, FailedEvent entry, Failure failure, ConcurrencyLimiter slots)
    {
        var now = services.StoreTime.GetUtcNow();
        entry = entry with { FirstFailedAt = entry.FirstFailedAt == default ? now : entry.FirstFailedAt };
        if (failure is not Deferred deferred)
        {
            await RecordFailedAsync(policy, entry, failure, now, slots);
            return true;
        }

        var (waiting, deadline) = FailureClassifier.Defer(entry, deferred, now);
        var (outcome, rejection) = now < deadline
            ? await DeferAsync(waiting, deferred, deadline, slots)
            : (DeferOutcome.Full, new Rejection(
                DeadLetterReason.OutOfOrder,
                $"The order guard deferred it for {deferred.Timeout} to wait for an earlier event of the key '{entry.OrderKey}', which "
                    + "did not arrive. Retry it to handle it without that event."));
        if (rejection is not null)
        {
            await RecordFailedAsync(policy, waiting with { LineKey = entry.LineKey }, new Rejected(rejection), now, slots);
        }

        return outcome != DeferOutcome.Changed;
    }

    /// <summary>
    /// Parks an event behind a failed event of its key. Returns false if no event blocks it: the caller handles it.
    /// </summary>
    public async Task<bool> TryParkAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots)
    {
        if (limits.IsTooLarge(envelope.BodyLength))
        {
            return false;
        }

        var entry = policy.Fresh(envelope, attempts: 0, FailedEventStatus.Parked, services.StoreTime.GetUtcNow());
        ParkOutcome outcome;
        try
        {
            outcome = await writer.ParkAsync(entry, limits.MaxWaitingPerKey, slots);
        }
        catch (StoreRefusedException exception)
        {
            // The dead letter joins the end of the line, so that the order of the key is kept.
            return await RecordAsync(policy, entry, Rejected.Unstorable(exception), slots);
        }

        if (outcome == ParkOutcome.LineFull)
        {
            await RecordAsync(policy, entry, new Rejected(new Rejection(
                DeadLetterReason.KeyBlocked, $"{limits.MaxWaitingPerKey:N0} events of the key '{envelope.Key}' already wait behind a "
                    + "failed one. Retry or discard the first dead letter of this key, then retry these.")), slots);
        }

        return outcome != ParkOutcome.NotBlocked;
    }

    /// <summary>
    /// Completes the recording of a delivery that was recorded as failed and not acknowledged: the steps after the
    /// write may be missing.
    /// </summary>
    public async Task FinishRecordedAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots)
    {
        if (!policy.ContinueWhenBlocked || !policy.Guarded)
        {
            return;
        }

        var dead = await writer.TryFindDeadLetterAsync(policy, envelope, slots);
        if (dead is not null && FailureClassifier.IsPassed(policy, dead))
        {
            await order.PassAsync(policy, dead, slots);
        }
    }

    /// <summary>Completes a claimed entry that was handled.</summary>
    /// <remarks>
    /// An entry that the store cannot remove becomes a dead letter, because it would be handled again and again.
    /// </remarks>
    public Task CompleteAsync(FailurePolicy policy, FailedEvent entry, ConcurrencyLimiter slots) => WriteAsync(
        policy,
        entry with { Error = "Its handler succeeded, but the store could not remove the entry. Discard it." },
        failure: null,
        slots);

    /// <summary>
    /// Releases a claimed entry that was not attempted, for example because its subscription was paused meanwhile. The
    /// entry is due again, and no attempt is counted.
    /// </summary>
    /// <remarks>
    /// An entry that was interrupted before keeps that mark. Its claim counted no attempt, and most stores leave it
    /// until its lease expires.
    /// </remarks>
    public Task ReleaseAsync(FailedEvent entry, ConcurrencyLimiter slots) => entry.WasInterrupted
        ? writer.TryReleaseAsync(entry, slots)
        : writer.TryRecordAsync(NotAttempted(entry), slots);

    /// <summary>
    /// Releases a claimed entry like <see cref="ReleaseAsync"/> when the bus stops: tries once, for at most 1 s. If
    /// that fails, the entry is due again when its lease expires. Never throws.
    /// </summary>
    public async Task ReleaseAtStopAsync(FailedEvent entry)
    {
        if (entry.WasInterrupted)
        {
            return;
        }

        try
        {
            await writer.RecordOnceAsync(NotAttempted(entry));
        }
        catch (Exception exception)
        {
            services.Log.NotReleased(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, exception);
        }
    }

    private async Task RecordFailedAsync(
        FailurePolicy policy,
        FailedEvent entry,
        Failure failure,
        DateTimeOffset now,
        ConcurrencyLimiter slots)
    {
        entry = FailureClassifier.Classify(policy, entry, failure, now);
        if (entry.Status == FailedEventStatus.Dead)
        {
            entry = await writer.TryFitAsync(entry with { NeedsAlert = reporter.WantsAlerts }, limits, slots);
        }

        // The process may end between the two steps, so their order depends on the entry. A stored entry is passed
        // first: if the process ends then, the entry runs again, and is not skipped as outdated. A new entry is stored
        // first, because later events must not pass it before.
        var passes = entry.Status == FailedEventStatus.Dead && FailureClassifier.IsPassed(policy, entry);
        if (passes && entry.Claim != 0)
        {
            await order.PassAsync(policy, entry, slots);
        }

        var kept = await WriteAsync(policy, entry, failure, slots);
        if ((passes && entry.Claim == 0) || (!passes && FailureClassifier.IsPassed(policy, kept)))
        {
            await order.PassAsync(policy, kept, slots);
        }
    }

    /// <summary>
    /// Records a failed event or completes a handled one. If the store cannot accept that, writes a dead letter in its
    /// place. Reports the result before callers that wait for alerts continue.
    /// </summary>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="failure">The reason of the failure; null if the event was handled.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    private async Task<FailedEvent> WriteAsync(FailurePolicy policy, FailedEvent entry, Failure? failure, ConcurrencyLimiter slots)
    {
        var expected = 0;
        await using var write = writer.Begin(entry, slots, ReducedEntry.Forms);
        try
        {
            while (true)
            {
                var completes = failure is null && write.Form == 0;
                FailedEvent form;
                bool isNew;
                try
                {
                    form = ReducedEntry.Of(entry, write.Form, policy, reporter.WantsAlerts);
                    if (form.Status == FailedEventStatus.Dead)
                    {
                        reporter.ExpectDeadLetter();
                        expected++;
                    }

                    isNew = await (completes ? CompleteAsync(form) : writer.RecordAsync(form));
                }
                catch (Exception exception)
                {
                    await write.RepeatAsync(exception);
                    continue;
                }

                if (!completes)
                {
                    reporter.Recorded(form, isNew, (failure as Threw)?.Exception, OwnErrorOf(failure) ?? form.Error);
                }

                return form;
            }
        }
        finally
        {
            for (var i = 0; i < expected; i++)
            {
                reporter.DeadLetterRecorded();
            }
        }
    }

    private async ValueTask<bool> CompleteAsync(FailedEvent entry)
    {
        await writer.CompleteAsync(entry);
        return true;
    }

    /// <summary>Returns the error of a rejection without text from the message; null if it has none.</summary>
    private static string? OwnErrorOf(Failure? failure) =>
        failure is Rejected { Rejection: { Foreign: not null, Error: var text } } ? text : null;

    /// <summary>Stores a deferred event. Returns the rejection of an event that the store does not keep.</summary>
    private async Task<(DeferOutcome Outcome, Rejection? Rejection)> DeferAsync(
        FailedEvent entry,
        Deferred deferred,
        DateTimeOffset deadline,
        ConcurrencyLimiter slots)
    {
        DeferOutcome outcome;
        try
        {
            outcome = await writer.DeferAsync(entry, deferred.Stamp, limits.MaxWaitingPerKey, slots);
        }
        catch (StoreRefusedException exception)
        {
            return (DeferOutcome.Full, Rejected.Unstorable(exception).Rejection);
        }

        if (outcome == DeferOutcome.Deferred)
        {
            reporter.Deferred(entry, deadline);
        }

        return (outcome, outcome == DeferOutcome.Full
            ? new Rejection(
                DeadLetterReason.KeyBlocked,
                $"{limits.MaxWaitingPerKey:N0} events of the key '{entry.OrderKey}' already wait for an earlier one. Find out why it "
                    + "does not arrive, then retry these.")
            : null);
    }

    private FailedEvent NotAttempted(FailedEvent entry) =>
        entry with { Status = FailedEventStatus.Waiting, Attempts = entry.Attempts - 1, DueAt = services.StoreTime.GetUtcNow() };
}
