using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Decides what to do with a failed event, and stores the decision before the event is acknowledged.</summary>
internal sealed class FailureRecorder(RetryStore store, AlertCoordinator alerts, UnreadBodyLimits bodies, int maxWaitingPerKey, BusServices services)
{
    public const int MaxErrorLength = ExceptionText.MaxMessage;

    private static readonly TimeSpan GiveBackTimeout = TimeSpan.FromSeconds(1);

    private readonly StoreProbe probe = new(store, services.StoreTime);
    private readonly KeyedFailureStore? keyed = store as KeyedFailureStore;

    /// <summary>Writes to the stores: this one and the store of handled events.</summary>
    public DurableWriter Writer { get; } = new(services);

    /// <summary>Called after an entry was stored that will be due.</summary>
    public Action? Recorded { get; set; }

    /// <summary>True if at least one write is held because the store accepts no writes.</summary>
    public bool StoreIsDown => Writer.StoreIsDown;

    // The plan of the bus refuses subscriptions that need a keyed store if there is none.
    private KeyedFailureStore Keyed => keyed ?? throw new InvalidOperationException("The failure store finds no events by id or key.");

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
        if (failure is Deferred deferred)
        {
            // The guard was asked, and the handler was not called.
            entry = entry with { Attempts = entry.Attempts - 1, Position = deferred.Position, Deadline = entry.Deadline ?? now + deferred.Timeout };
            var deadline = entry.Deadline > deferred.NotGivenUpBefore ? entry.Deadline.Value : deferred.NotGivenUpBefore;
            var (outcome, refused) = (DeferOutcome.Full, (StoreRefusedException?)null);
            try
            {
                outcome = now < deadline ? await DeferAsync(entry, deferred, now, deadline, slots) : DeferOutcome.Full;
            }
            catch (StoreRefusedException exception)
            {
                refused = exception;
            }

            if (outcome != DeferOutcome.Full)
            {
                return outcome == DeferOutcome.Deferred;
            }

            failure = new Rejected(refused is not null ? Unstorable(refused)
                : now < deadline
                ? new Rejection(DeadLetterReason.KeyBlocked, $"{maxWaitingPerKey:N0} events of the key '{entry.OrderKey}' already wait for an earlier one. Find out why it does not arrive, then retry these.")
                : new Rejection(DeadLetterReason.OutOfOrder, $"The order guard deferred it for {deferred.Timeout} to wait for an earlier event of the key '{entry.OrderKey}', which did not arrive. Retry it to handle it without that event."));
        }

        await KeepAsync(policy, entry, failure, now, slots);
        return true;
    }

    /// <summary>
    /// Parks an event behind a failed event of its key. Returns false if no event blocks it: the caller handles it.
    /// </summary>
    public async Task<bool> TryParkAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots)
    {
        if (bodies.IsTooLarge(envelope.BodyLength))
        {
            return false;
        }

        var entry = policy.Fresh(envelope, starts: 0, FailedEventStatus.Parked, services.StoreTime.GetUtcNow());
        var outcome = ParkOutcome.NotBlocked;
        try
        {
            await PersistAsync(entry, slots, async cancel => outcome = await Keyed.TryParkAsync(entry, maxWaitingPerKey, cancel));
        }
        catch (StoreRefusedException exception)
        {
            // It joins the end of the line, so that the order of the key is kept.
            return await RecordAsync(policy, entry, new Rejected(Unstorable(exception)), slots);
        }

        if (outcome == ParkOutcome.LineFull)
        {
            await RecordAsync(policy, entry, new Rejected(new Rejection(
                DeadLetterReason.KeyBlocked, $"{maxWaitingPerKey:N0} events of the key '{envelope.Key}' already wait behind a failed one. Retry or discard the first dead letter of this key, then retry these.")), slots);
        }

        return outcome != ParkOutcome.NotBlocked;
    }

    /// <summary>
    /// Transfers an event that may have ended its process to the store, if the store has its own way to count attempts.
    /// </summary>
    public async Task<bool> TryTakeRedeliveredAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots)
    {
        var now = services.StoreTime.GetUtcNow();
        var entry = policy.Fresh(envelope, starts: 1, now: now) with { DueAt = now };
        var taken = false;
        try
        {
            await PersistAsync(entry, slots, async cancel => taken = await store.TryTakeRedeliveredAsync(entry, cancel));
            return taken;
        }
        catch (StoreRefusedException exception)
        {
            return await RecordAsync(policy, entry, new Rejected(Unstorable(exception)), slots);
        }
    }

    /// <summary>
    /// Counts attempts of an event that may have ended its process. Null: it is already recorded as failed and needs no
    /// further attempt.
    /// </summary>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="added">The attempts to add.</param>
    /// <param name="slots">
    /// The limiter in which the caller holds a slot, which is lent while the store accepts no writes.
    /// </param>
    /// <param name="counted">
    /// Called when the count is stored or refused; this may be long before the caller has a slot again.
    /// </param>
    public async Task<AttemptCount?> CountAttemptAsync(FailurePolicy policy, Envelope envelope, AttemptCount added, ConcurrencyLimiter slots, Action? counted = null)
    {
        AttemptCount? count = null;
        try
        {
            await PersistAsync(policy, envelope, slots, async cancel =>
            {
                count = await Keyed.CountAttemptAsync(policy.Subscription, envelope.Id, added, services.StoreTime.GetUtcNow(), cancel);
                counted?.Invoke();
            });
        }
        catch (StoreRefusedException exception)
        {
            counted?.Invoke();

            // Without a count, it might end the process again and again.
            await RecordAsync(policy, policy.Fresh(envelope, starts: 1), new Rejected(Unstorable(exception)), slots);
        }

        return count;
    }

    /// <summary>Records that the running attempt, which is already counted, became a concurrent one.</summary>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="kept">Called when it is stored; this may be long before the caller has a slot again.</param>
    public Task CountConcurrentAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots, Action kept) =>
        TryPersistAsync(policy, envelope, slots, async cancel =>
        {
            await Keyed.CountAttemptAsync(policy.Subscription, envelope.Id, new AttemptCount(0, 1), services.StoreTime.GetUtcNow(), cancel);
            kept();
        });

    /// <summary>
    /// Completes the recording of a delivery that was recorded as failed and not acknowledged: the steps after the
    /// write may be missing.
    /// </summary>
    public async Task FinishKeptAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots)
    {
        if (!policy.ContinueWhenBlocked || !policy.Guarded)
        {
            return;
        }

        FailedEvent? dead = null;
        await TryPersistAsync(policy, envelope, slots, async cancel => dead = await Keyed.DeadLetters.FindAsync(FailedEvent.MakeId(policy.Subscription, envelope.Id), cancel));
        if (dead is not null && GoesOnPast(policy, dead))
        {
            await PassAsync(policy, dead, slots);
        }
    }

    /// <summary>Removes the attempt count of an event that was handled.</summary>
    public Task ForgetAttemptsAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots) =>
        keyed is null ? Task.CompletedTask : TryPersistAsync(policy, envelope, slots, cancel => keyed.ForgetAttemptsAsync(policy.Subscription, envelope.Id, cancel));

    /// <summary>
    /// True if a claim already counts as an attempt when the process ends: a claimed entry must be released while it
    /// waits.
    /// </summary>
    public bool ClaimsAreStarts => keyed is null;

    /// <summary>Records that the running attempt of a claimed entry became a concurrent one.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="kept">Called when it is stored; this may be long before the caller has a slot again.</param>
    public Task CountConcurrentAsync(FailedEvent entry, ConcurrencyLimiter slots, Action kept) =>
        TryPersistAsync(SubjectOf(entry), slots, async cancel =>
        {
            await store.BeginAsync(entry with { Concurrent = entry.Concurrent + 1 }, cancel);
            kept();
        });

    /// <summary>
    /// Counts the next attempt of a claimed entry that may have ended its process. Returns false if another instance
    /// has claimed the entry, or if the entry became a dead letter because its attempts cannot be counted.
    /// </summary>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="entry">The entry, including the next attempt.</param>
    /// <param name="slots">
    /// The limiter in which the caller holds a slot, which is lent while the store accepts no writes.
    /// </param>
    /// <param name="counted">
    /// Called when the count is stored or refused; this may be long before the caller has a slot again.
    /// </param>
    public async Task<bool> BeginAsync(FailurePolicy policy, FailedEvent entry, ConcurrencyLimiter slots, Action counted)
    {
        var held = false;
        try
        {
            await PersistAsync(entry, slots, async cancel =>
            {
                held = await store.BeginAsync(entry, cancel);
                counted();
            });
        }
        catch (StoreRefusedException exception)
        {
            counted();
            await RecordAsync(policy, entry with { Attempts = entry.Attempts - 1 }, new Rejected(Unstorable(exception)), slots);
        }

        return held;
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
            async (_, cancel) =>
            {
                await store.CompleteAsync(entry, cancel);
                return true;
            },
            (written, isNew) =>
            {
                if (written != handled)
                {
                    Report(written, isNew, null, written.Error);
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
        TryPersistAsync(SubjectOf(entry), slots, async cancel => await (entry.WasInterrupted ? store.ReleaseAsync(entry, cancel) : RecordedAsync(NotStarted(entry), cancel)));

    /// <summary>
    /// Releases a claimed entry like <see cref="ReleaseAsync"/> when the bus stops: tries once, for at most 1 s. If
    /// that fails, the entry is due again when its lease expires. Never throws.
    /// </summary>
    public async Task GiveBackAsync(FailedEvent entry)
    {
        if (entry.WasInterrupted)
        {
            return;
        }

        try
        {
            await store.RecordAsync(NotStarted(entry), CancellationToken.None).AsTask().Observed().WaitAsync(GiveBackTimeout, services.StoreTime);
        }
        catch (Exception exception)
        {
            services.Log.NotReleased(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, exception);
        }
    }

    /// <summary>Gets the state of a key that a guard needs.</summary>
    /// <exception cref="StoreRefusedException">The stored state cannot be read.</exception>
    public async Task<OrderState> GetOrderAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots)
    {
        OrderState state = default;
        await PersistAsync(policy, envelope, slots, async cancel => state = await Keyed.GetOrderAsync(policy.Subscription, envelope.Key ?? "", cancel));
        return state;
    }

    /// <summary>Records that an event of a guarded key was settled: other events may continue.</summary>
    /// <exception cref="StoreRefusedException">The store cannot record it.</exception>
    public async Task AdvanceAsync(FailurePolicy policy, Envelope envelope, string orderKey, long? position, ConcurrencyLimiter slots)
    {
        var woken = false;
        await PersistAsync(policy, envelope, slots, async cancel => woken = await Keyed.AdvanceAsync(policy.Subscription, orderKey, position, services.StoreTime.GetUtcNow(), cancel));
        if (woken)
        {
            Recorded?.Invoke();
        }
    }

    /// <summary>
    /// Waits for a task without holding a slot: the event behind the task may have lent its slot because the store is
    /// down, and needs a slot to continue.
    /// </summary>
    public Task WaitForAsync(Task other, ConcurrencyLimiter slots) => slots.WaitWithoutAsync(other, services.Abort);

    /// <summary>Completes when the stores accept the writes of a subscription, or when the bus aborts.</summary>
    public Task WhenWritableAsync(ConcurrencyLimiter slots) => Writer.WhenWritableAsync(slots);

    /// <summary>
    /// Creates the rejection of an event for which the store cannot carry out a step, while it can for others.
    /// </summary>
    public static Rejection Unstorable(StoreRefusedException refused) => new(DeadLetterReason.Unstorable, ExceptionText.MessageOf(refused));

    private async Task KeepAsync(FailurePolicy policy, FailedEvent entry, Failure failure, DateTimeOffset now, ConcurrencyLimiter slots)
    {
        var exception = (failure as Threw)?.Exception;
        var error = failure is Rejected rejected ? PrintableText.Of(rejected.Rejection.Error + rejected.Rejection.Foreign, MaxErrorLength) : ExceptionText.Of(exception!);
        var reason = Judge(policy, entry, failure);
        var counted = failure is Threw { Counts: false } ? entry.Attempts - 1 : entry.Attempts;
        entry = entry with
        {
            Status = reason is null ? FailedEventStatus.Waiting : FailedEventStatus.Dead,
            Reason = reason ?? entry.Reason,
            DueAt = reason is null ? now + policy.Retry.DelayAfter(counted) : default,
            LineKey = reason is null || !policy.ContinueWhenBlocked ? entry.LineKey : null,
            Attempts = counted,
            LastFailedAt = now,
            Error = error,
            ErrorDetails = exception is null ? null : ExceptionText.DetailsOf(exception),
            History = exception is null ? entry.History : [.. entry.History.TakeLast(FailedEvent.MaxHistory - 1), new FailedAttempt(entry.Attempts, now, error)],
            NeedsAlert = reason is not null && alerts.IsWanted,
        };
        if (reason is not null)
        {
            await TryPersistAsync(SubjectOf(entry), slots, async cancel => entry = await bodies.FitAsync(entry, cancel));
        }

        // In this order, a process that ends between the two steps does no harm: a stored entry runs again and is not
        // stale, and a new one must not be passed before it is stored.
        var passes = reason is not null && GoesOnPast(policy, entry);
        if (passes && entry.Claim != 0)
        {
            await PassAsync(policy, entry, slots);
        }

        var kept = await WriteAsync(
            policy,
            entry,
            slots,
            async (form, cancel) => await store.RecordAsync(form, cancel),
            (written, isNew) => Report(written, isNew, exception, failure is Rejected { Rejection: { Foreign: not null, Error: var ours } } ? ours : written.Error));
        if ((passes && entry.Claim == 0) || (!passes && GoesOnPast(policy, kept)))
        {
            await PassAsync(policy, kept, slots);
        }
    }

    /// <summary>
    /// Writes an entry or, if the store cannot accept it, a dead letter in its place. Reports the result before callers
    /// that wait for alerts continue.
    /// </summary>
    private async Task<FailedEvent> WriteAsync(FailurePolicy policy, FailedEvent entry, ConcurrencyLimiter slots, Func<FailedEvent, CancellationToken, ValueTask<bool>> write, Action<FailedEvent, bool> report)
    {
        var (written, isNew, expected) = (entry, false, 0);
        try
        {
            await Writer.WriteAsync(
                SubjectOf(entry),
                slots,
                cancel => Write(entry, write, cancel),
                cancel => Write(ReducedEntry.WithBody(entry, policy, alerts.IsWanted), store.RecordAsync, cancel),
                cancel => Write(ReducedEntry.WithoutBody(entry, policy, alerts.IsWanted), store.RecordAsync, cancel));
            report(written, isNew);
        }
        finally
        {
            for (; expected > 0; expected--)
            {
                alerts.Reported();
            }
        }

        return written;

        async ValueTask Write(FailedEvent form, Func<FailedEvent, CancellationToken, ValueTask<bool>> how, CancellationToken cancel)
        {
            if (form.Status == FailedEventStatus.Dead)
            {
                alerts.Expect();
                expected++;
            }

            isNew = await how(form, cancel);
            written = form;
        }
    }

    /// <summary>
    /// Lets the later numbers of a key continue past a dead letter. If the store cannot record that, they wait until
    /// their deadline.
    /// </summary>
    private async Task PassAsync(FailurePolicy policy, FailedEvent dead, ConcurrencyLimiter slots)
    {
        try
        {
            await AdvanceAsync(policy, dead.Envelope, dead.OrderKey!, dead.Position, slots);
        }
        catch (StoreRefusedException exception)
        {
            services.Log.StepLeftOut(dead.Subscription, dead.Envelope.Name, dead.Envelope.Id, exception);
        }
    }

    /// <summary>
    /// True if the later numbers of the key do not wait for this dead letter. False if it is dead because too many
    /// events wait: its turn had not come, and the events before it must not be passed.
    /// </summary>
    private static bool GoesOnPast(FailurePolicy policy, FailedEvent dead) =>
        policy.ContinueWhenBlocked && dead is { OrderKey: not null, Position: not null, Reason: not DeadLetterReason.KeyBlocked };

    private void Report(FailedEvent entry, bool kept, Exception? exception, string? error)
    {
        if (!kept)
        {
            services.Log.KeptAlready(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, exception);
        }
        else if (entry.Status == FailedEventStatus.Dead)
        {
            services.Diagnostics.DeadLettered(entry.Envelope.Name, entry.Subscription, entry.Reason);
            services.Log.DeadLettered(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, entry.Reason, entry.Attempts, entry.Id, error, exception);
        }
        else
        {
            services.Diagnostics.WillRetry(entry.Envelope.Name, entry.Subscription);
            services.Log.WillRetry(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, entry.Attempts, entry.DueAt, exception);
            Recorded?.Invoke();
        }
    }

    private async Task<DeferOutcome> DeferAsync(FailedEvent entry, Deferred deferred, DateTimeOffset now, DateTimeOffset deadline, ConcurrencyLimiter slots)
    {
        var recheck = now + deferred.Recheck;
        entry = entry with { Status = FailedEventStatus.Deferred, LineKey = null, DueAt = recheck < deadline ? recheck : deadline };
        var outcome = DeferOutcome.Full;
        await PersistAsync(entry, slots, async cancel => outcome = await Keyed.DeferAsync(entry, deferred.Stamp, maxWaitingPerKey, cancel));
        if (outcome == DeferOutcome.Deferred)
        {
            services.Log.Deferred(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, deadline);
            Recorded?.Invoke();
        }

        return outcome;
    }

    private async ValueTask RecordedAsync(FailedEvent entry, CancellationToken cancellationToken) => await store.RecordAsync(entry, cancellationToken);

    private FailedEvent NotStarted(FailedEvent entry) => entry with { Status = FailedEventStatus.Waiting, Attempts = entry.Attempts - 1, DueAt = services.StoreTime.GetUtcNow() };

    private WriteSubject SubjectOf(FailedEvent entry) => new(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, probe.RunAsync) { IsDelivery = entry.Claim == 0, ProbeWrites = keyed is not null };

    private WriteSubject SubjectOf(FailurePolicy policy, Envelope envelope) => new(policy.Subscription, envelope.Name, envelope.Id, probe.RunAsync) { ProbeWrites = keyed is not null };

    private Task PersistAsync(FailedEvent entry, ConcurrencyLimiter slots, Func<CancellationToken, ValueTask> write) => Writer.WriteAsync(SubjectOf(entry), slots, write);

    private Task PersistAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots, Func<CancellationToken, ValueTask> write) => Writer.WriteAsync(SubjectOf(policy, envelope), slots, write);

    private Task TryPersistAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots, Func<CancellationToken, ValueTask> write) => TryPersistAsync(SubjectOf(policy, envelope), slots, write);

    /// <summary>Makes a write that is skipped when the store cannot accept it for this event.</summary>
    private Task TryPersistAsync(WriteSubject subject, ConcurrencyLimiter slots, Func<CancellationToken, ValueTask> write) => Writer.TryWriteAsync(subject, slots, write);

    /// <summary>Gets the reason why the event is dead; null when a retry follows.</summary>
    private static DeadLetterReason? Judge(FailurePolicy policy, FailedEvent entry, Failure failure) =>
        failure is Rejected { Rejection.Reason: var reason } ? reason
        : policy.Retry.IsPermanent(((Threw)failure).Exception) ? DeadLetterReason.PermanentFailure
        : failure is Threw { Counts: false } ? null
        : policy.Retry.Allows(entry.Attempts) ? null
        : DeadLetterReason.HandlerFailed;
}
