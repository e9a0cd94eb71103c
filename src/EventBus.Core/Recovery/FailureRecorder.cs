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
    private readonly EntryWriter entries = new(writer, reporter);

    /// <summary>True if at least one write is held because the store accepts no writes.</summary>
    public bool StoreIsDown => writer.StoreIsDown;

    /// <summary>Releases claimed entries that were not attempted.</summary>
    public EntryReleaser Releaser { get; } = new(writer, services);

    /// <summary>Records that an event failed, or that its guard deferred it.</summary>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="entry">The claimed entry or a new one; its attempts include this one.</param>
    /// <param name="failure">The reason of the failure.</param>
    /// <param name="slots">
    /// The limiter in which the caller holds a slot. The slot is free for others while the store accepts no writes.
    /// </param>
    /// <returns>False if the guard must be called again, because the state of the key has changed since.</returns>
    /// <exception cref="OperationCanceledException">
    /// The bus stops before the store accepted the write: release the delivery.
    /// </exception>
    public async Task<bool> RecordAsync(FailurePolicy policy, FailedEvent entry, Failure failure, ConcurrencyLimiter slots)
    {
        var now = services.StoreTime.GetUtcNow();
        entry = entry with { FirstFailedAt = entry.FirstFailedAt == default ? now : entry.FirstFailedAt };
        if (failure is Deferred deferred)
        {
            return await RecordDeferredAsync(policy, entry, deferred, now, slots);
        }

        await RecordFailedAsync(policy, entry, failure, now, slots);
        return true;
    }

    /// <summary>Parks an event behind a failed event of its key.</summary>
    /// <returns>
    /// False if the caller must handle the event: no event blocks it, or it is too large to be read and is rejected at
    /// once. True if it is recorded, as parked or as a dead letter.
    /// </returns>
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
            await RecordAsync(policy, entry, new Rejected(OrderRejections.LineIsFull(limits.MaxWaitingPerKey, envelope.Key)), slots);
        }

        return outcome != ParkOutcome.NotBlocked;
    }

    /// <summary>
    /// Completes the recording of a delivery that was recorded as failed and not acknowledged. If it is a dead letter
    /// that later events pass, the process may have ended before they were made due.
    /// </summary>
    public Task FinishRecordedAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots) =>
        order.PassRecordedAsync(policy, envelope, slots);

    /// <summary>Completes a claimed entry that was handled.</summary>
    /// <remarks>
    /// If the store cannot remove the entry, a dead letter with the error given here replaces it, because the entry
    /// would be handled again and again.
    /// </remarks>
    public Task CompleteAsync(FailurePolicy policy, FailedEvent entry, ConcurrencyLimiter slots) => entries.WriteAsync(
        policy,
        entry with
        {
            Error = "The event was handled successfully, but the store could not remove its entry. Discard this dead letter.",
            ErrorType = null,
        },
        failure: null,
        slots);

    /// <summary>
    /// Stores a deferred event, or a dead letter if it has waited too long or the store does not keep it.
    /// </summary>
    /// <returns>False if the guard must be called again.</returns>
    private async Task<bool> RecordDeferredAsync(
        FailurePolicy policy,
        FailedEvent entry,
        Deferred deferred,
        DateTimeOffset now,
        ConcurrencyLimiter slots)
    {
        var (waiting, deadline) = FailureClassifier.Defer(entry, deferred, now);
        Rejection rejection;
        if (now >= deadline)
        {
            rejection = OrderRejections.EarlierEventIsMissing(deferred.Timeout, entry.OrderKey);
        }
        else
        {
            try
            {
                var outcome = await writer.DeferAsync(waiting, deferred.Stamp, limits.MaxWaitingPerKey, slots);
                if (outcome == DeferOutcome.Deferred)
                {
                    reporter.Deferred(waiting, deadline);
                    return true;
                }

                if (outcome == DeferOutcome.Changed)
                {
                    return false;
                }

                rejection = OrderRejections.TooManyAreDeferred(limits.MaxWaitingPerKey, entry.OrderKey);
            }
            catch (StoreRefusedException exception)
            {
                rejection = Rejected.Unstorable(exception).Rejection;
            }
        }

        // Only deferred entries leave their line.
        await RecordFailedAsync(policy, waiting with { LineKey = entry.LineKey }, new Rejected(rejection), now, slots);
        return true;
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

        // A dead letter is written, and later events are allowed to pass it. The process may end between these two
        // steps. A claimed entry is passed first: if the process ends then, the entry runs again, and is not skipped as
        // outdated. A new entry is written first: later events must not pass it before it is stored.
        var isPassedFirst = entry.Claim != 0 && FailureClassifier.IsPassed(policy, entry);
        if (isPassedFirst)
        {
            await order.PassAsync(policy, entry, slots);
        }

        // An entry for a retry may be written as a dead letter, if the store cannot accept it as it is.
        var written = await entries.WriteAsync(policy, entry, failure, slots);
        if (!isPassedFirst && FailureClassifier.IsPassed(policy, written))
        {
            await order.PassAsync(policy, written, slots);
        }
    }
}
