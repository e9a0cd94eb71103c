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

    /// <summary>Completes when the store accepts the writes of a subscription, or when the bus aborts.</summary>
    public Task WhenWritableAsync(ConcurrencyLimiter slots) => writer.WhenWritableAsync(slots);

    /// <summary>Records that an event failed, or that its guard deferred it.</summary>
    /// <exception cref="OperationCanceledException">
    /// The bus stops before the store accepted the write: release the delivery.
    /// </exception>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="entry">The claimed entry or a new one; its attempts include this one.</param>
    /// <param name="failure">The reason of the failure.</param>
    /// <param name="slots">The limiter in which the caller holds a slot, which is lent while the store is down.</param>
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

        var entry = policy.Fresh(envelope, starts: 0, FailedEventStatus.Parked, services.StoreTime.GetUtcNow());
        var outcome = ParkOutcome.NotBlocked;
        try
        {
            await writer.WriteAsync(
                entry,
                slots,
                async (_, cancel) => outcome = await writer.Keyed.TryParkAsync(entry, limits.MaxWaitingPerKey, cancel));
        }
        catch (StoreRefusedException exception)
        {
            // It joins the end of the line, so that the order of the key is kept.
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

        FailedEvent? dead = null;
        await writer.TryWriteAsync(policy, envelope, slots, async (_, cancel) => dead = await writer.Keyed.DeadLetters.FindAsync(
            FailedEvent.MakeId(policy.Subscription, envelope.Id),
            cancel));
        if (dead is not null && FailureClassifier.IsPassed(policy, dead))
        {
            await order.PassAsync(policy, dead, slots);
        }
    }

    /// <summary>Completes a claimed entry that was handled.</summary>
    /// <remarks>
    /// An entry that the store cannot remove becomes a dead letter, because it would be handled again and again.
    /// </remarks>
    public async Task CompleteAsync(FailurePolicy policy, FailedEvent entry, ConcurrencyLimiter slots)
    {
        var handled = entry with { Error = "Its handler succeeded, but the store could not remove the entry. Discard it." };
        await WriteAsync(
            policy,
            handled,
            slots,
            async (store, _, cancel) =>
            {
                await store.CompleteAsync(entry, cancel);
                return true;
            },
            (written, isNew) =>
            {
                if (written != handled)
                {
                    reporter.Recorded(written, isNew, null, written.Error);
                }
            });
    }

    /// <summary>
    /// Releases a claimed entry that was not attempted, for example because its subscription was paused meanwhile. It
    /// is due again, and the attempt is not counted.
    /// </summary>
    /// <remarks>
    /// An entry that was interrupted before keeps that mark. Its claim counted no attempt, and most stores leave it
    /// until its lease expires.
    /// </remarks>
    public Task ReleaseAsync(FailedEvent entry, ConcurrencyLimiter slots) =>
        writer.TryWriteAsync(entry, slots, async (store, cancel) => await (entry.WasInterrupted
            ? store.ReleaseAsync(entry, cancel)
            : RecordAsync(store, NotAttempted(entry), cancel)));

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
            entry = entry with { NeedsAlert = reporter.WantsAlerts };
            await writer.TryWriteAsync(entry, slots, async (_, cancel) => entry = await limits.FitAsync(entry, cancel));
        }

        // In this order, a process that ends between the two steps does no harm: a stored entry runs again and is not
        // stale, and a new one must not be passed before it is stored.
        var passes = entry.Status == FailedEventStatus.Dead && FailureClassifier.IsPassed(policy, entry);
        if (passes && entry.Claim != 0)
        {
            await order.PassAsync(policy, entry, slots);
        }

        var exception = (failure as Threw)?.Exception;
        var ours = failure is Rejected { Rejection: { Foreign: not null, Error: var text } } ? text : null;
        var kept = await WriteAsync(
            policy,
            entry,
            slots,
            (store, form, cancel) => store.RecordAsync(form, cancel),
            (written, isNew) => reporter.Recorded(written, isNew, exception, ours ?? written.Error));
        if ((passes && entry.Claim == 0) || (!passes && FailureClassifier.IsPassed(policy, kept)))
        {
            await order.PassAsync(policy, kept, slots);
        }
    }

    /// <summary>
    /// Writes an entry or, if the store cannot accept it, a dead letter in its place. Reports the result before callers
    /// that wait for alerts continue.
    /// </summary>
    private async Task<FailedEvent> WriteAsync(
        FailurePolicy policy,
        FailedEvent entry,
        ConcurrencyLimiter slots,
        Func<RetryStore, FailedEvent, CancellationToken, ValueTask<bool>> write,
        Action<FailedEvent, bool> report)
    {
        var (written, isNew, expected) = (entry, false, 0);
        try
        {
            await writer.WriteAsync(
                entry,
                slots,
                (store, cancel) => Write(store, entry, write, cancel),
                (store, cancel) => Write(store, ReducedEntry.WithBody(entry, policy, reporter.WantsAlerts), Record, cancel),
                (store, cancel) => Write(store, ReducedEntry.WithoutBody(entry, policy, reporter.WantsAlerts), Record, cancel));
            report(written, isNew);
        }
        finally
        {
            for (; expected > 0; expected--)
            {
                reporter.DeadLetterRecorded();
            }
        }

        return written;

        static ValueTask<bool> Record(RetryStore store, FailedEvent form, CancellationToken cancel) => store.RecordAsync(form, cancel);

        async ValueTask Write(
            RetryStore store,
            FailedEvent form,
            Func<RetryStore, FailedEvent, CancellationToken, ValueTask<bool>> how,
            CancellationToken cancel)
        {
            if (form.Status == FailedEventStatus.Dead)
            {
                reporter.ExpectDeadLetter();
                expected++;
            }

            isNew = await how(store, form, cancel);
            written = form;
        }
    }

    /// <summary>Stores a deferred event. Returns the rejection of an event that the store does not keep.</summary>
    private async Task<(DeferOutcome Outcome, Rejection? Rejection)> DeferAsync(
        FailedEvent entry,
        Deferred deferred,
        DateTimeOffset deadline,
        ConcurrencyLimiter slots)
    {
        var outcome = DeferOutcome.Full;
        try
        {
            await writer.WriteAsync(
                entry,
                slots,
                async (_, cancel) => outcome = await writer.Keyed.DeferAsync(entry, deferred.Stamp, limits.MaxWaitingPerKey, cancel));
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

    private static async ValueTask RecordAsync(RetryStore store, FailedEvent entry, CancellationToken cancellationToken) =>
        await store.RecordAsync(entry, cancellationToken);

    private FailedEvent NotAttempted(FailedEvent entry) =>
        entry with { Status = FailedEventStatus.Waiting, Attempts = entry.Attempts - 1, DueAt = services.StoreTime.GetUtcNow() };
}
