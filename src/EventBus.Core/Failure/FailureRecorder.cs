using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Decides what becomes of a failed event, and sees that the decision is kept before the event is acknowledged.</summary>
internal sealed class FailureRecorder(FailureStore store, AlertLoop alerts, int maxWaitingPerKey, RunEnvironment environment)
{
    private const int MaxErrorLength = 1_024;
    private const int MaxDetailsLength = 8_192;

    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan GiveBackTimeout = TimeSpan.FromSeconds(1);

    private int heldWrites;
    private TaskCompletionSource? up;

    /// <summary>Called after an entry was kept that will be due.</summary>
    public Action? Recorded { get; set; }

    /// <summary>At least one write is held, because the store does not take it.</summary>
    public bool StoreIsDown => Volatile.Read(ref heldWrites) > 0;

    /// <summary>Records that an event failed, or that its guard lets it wait.</summary>
    /// <exception cref="OperationCanceledException">The bus stops before the store took it: release the delivery.</exception>
    /// <param name="policy">How the subscription fails.</param>
    /// <param name="entry">The claimed entry, or a fresh one; its starts include this one.</param>
    /// <param name="failure">Why it failed.</param>
    /// <param name="slots">Where the caller holds a slot, given back for as long as the store is down.</param>
    /// <returns>False when the guard is to be asked again, because something of the key has happened since.</returns>
    public async Task<bool> RecordAsync(FailurePolicy policy, FailedEvent entry, Failure failure, HandlerSlots slots)
    {
        var now = environment.Time.GetUtcNow();
        entry = entry with { FirstFailedAt = entry.FirstFailedAt == default ? now : entry.FirstFailedAt };
        if (failure is Deferred deferred)
        {
            // The guard was asked, and the handler was not started.
            entry = entry with { Starts = entry.Starts - 1, Position = deferred.Position, Deadline = entry.Deadline ?? now + deferred.Timeout };
            var deadline = entry.Deadline > deferred.NotGivenUpBefore ? entry.Deadline.Value : deferred.NotGivenUpBefore;
            var outcome = now < deadline ? await DeferAsync(entry, deferred, now, deadline, slots) : DeferOutcome.Full;
            if (outcome != DeferOutcome.Full)
            {
                return outcome == DeferOutcome.Deferred;
            }

            failure = new Rejected(now < deadline
                ? new Rejection(DeadLetterReason.KeyBlocked, $"{maxWaitingPerKey:N0} events of the key '{entry.OrderKey}' wait already for an earlier one. Find out why it does not come, then retry these.")
                : new Rejection(DeadLetterReason.OutOfOrder, $"The order guard let it wait {deferred.Timeout} for an earlier event of the key '{entry.OrderKey}', which did not come. Retry it to go on without that event."));
        }

        await KeepAsync(policy, entry, failure, now, slots);
        return true;
    }

    /// <summary>Parks an event behind a failed one of its key. False: nothing blocks it, handle it.</summary>
    public async Task<bool> TryParkAsync(FailurePolicy policy, Envelope envelope, HandlerSlots slots)
    {
        var entry = policy.Fresh(envelope, starts: 0, FailedEventStatus.Parked, environment.Time.GetUtcNow());
        var outcome = ParkOutcome.NotBlocked;
        await PersistAsync(async cancel => outcome = await store.TryParkAsync(entry, maxWaitingPerKey, cancel), slots);
        if (outcome == ParkOutcome.LineFull)
        {
            await RecordAsync(policy, entry, new Rejected(new Rejection(
                DeadLetterReason.KeyBlocked, $"{maxWaitingPerKey:N0} events of the key '{envelope.KeyText}' wait already behind a failed one. Retry or discard the first dead letter of this key, then retry these.")), slots);
        }

        return outcome != ParkOutcome.NotBlocked;
    }

    /// <summary>Hands an event that may have ended its process over to the store, if that counts starts in a way of its own.</summary>
    public async Task<bool> TryTakeSuspectAsync(FailurePolicy policy, Envelope envelope, HandlerSlots slots)
    {
        var now = environment.Time.GetUtcNow();
        var entry = policy.Fresh(envelope, starts: 1, now: now) with { DueAt = now };
        var taken = false;
        await PersistAsync(async cancel => taken = await store.TryTakeSuspectAsync(entry, cancel), slots);
        return taken;
    }

    /// <summary>Counts the start that follows, of an event that may have ended its process. Null: it is kept as failed already, and needs none.</summary>
    public async Task<int?> CountStartAsync(FailurePolicy policy, Envelope envelope, HandlerSlots slots)
    {
        int? start = null;
        await PersistAsync(async cancel => start = await store.CountStartAsync(policy.Subscription, envelope.Id, environment.Time.GetUtcNow(), cancel), slots);
        return start;
    }

    /// <summary>A delivery was kept as failed before it could be acknowledged: what belongs to that may not have been done.</summary>
    public async Task FinishKeptAsync(FailurePolicy policy, Envelope envelope, HandlerSlots slots)
    {
        if (!policy.ContinueWhenBlocked || !policy.Guarded)
        {
            return;
        }

        FailedEvent? dead = null;
        await PersistAsync(async cancel => dead = await store.FindDeadAsync(FailedEvent.MakeId(policy.Subscription, envelope.Id), cancel), slots);
        if (dead is not null && GoesOnPast(policy, dead))
        {
            await AdvanceAsync(policy, dead.OrderKey!, dead.Position, slots);
        }
    }

    /// <summary>An event whose starts were counted was handled.</summary>
    public Task ForgetStartsAsync(FailurePolicy policy, Envelope envelope, HandlerSlots slots) =>
        PersistAsync(cancel => store.ForgetStartsAsync(policy.Subscription, envelope.Id, cancel), slots);

    /// <summary>Counts the start that follows, of a claimed entry that may have ended its process. False: it is another's now.</summary>
    public async Task<bool> BeginAsync(FailedEvent entry, HandlerSlots slots)
    {
        var held = false;
        await PersistAsync(async cancel => held = await store.BeginAsync(entry, cancel), slots);
        return held;
    }

    /// <summary>A claimed entry was handled.</summary>
    public Task CompleteAsync(FailedEvent entry, HandlerSlots slots) => PersistAsync(cancel => store.CompleteAsync(entry, cancel), slots);

    /// <summary>A claimed entry was not started after all, because its subscription was paused meanwhile: it is due again, and the start is not counted.</summary>
    /// <remarks>One that was interrupted before stays known as such, and its claim counted no start: most stores leave it to its lease.</remarks>
    public Task PutBackAsync(FailedEvent entry, HandlerSlots slots) =>
        PersistAsync(async cancel => await (entry.WasInterrupted ? store.PutBackAsync(entry, cancel) : RecordedAsync(NotStarted(entry), cancel)), slots);

    /// <summary>Like <see cref="PutBackAsync"/>, for a bus that stops: tried once and for a moment. If that fails, the entry waits for the end of its lease. Never throws.</summary>
    public async Task GiveBackAsync(FailedEvent entry)
    {
        if (entry.WasInterrupted)
        {
            return;
        }

        try
        {
            await store.RecordAsync(NotStarted(entry), CancellationToken.None).AsTask().WaitAsync(GiveBackTimeout, environment.Time);
        }
        catch (Exception exception)
        {
            environment.Log.NotGivenBack(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, exception);
        }
    }

    /// <summary>What the store knows of a key that a guard asks for.</summary>
    public async Task<OrderState> GetOrderAsync(FailurePolicy policy, string orderKey, HandlerSlots slots)
    {
        OrderState state = default;
        await PersistAsync(async cancel => state = await store.GetOrderAsync(policy.Subscription, orderKey, cancel), slots);
        return state;
    }

    /// <summary>An event of a guarded key was dealt with: others may go on.</summary>
    public async Task AdvanceAsync(FailurePolicy policy, string orderKey, long? position, HandlerSlots slots)
    {
        var woken = false;
        await PersistAsync(async cancel => woken = await store.AdvanceAsync(policy.Subscription, orderKey, position, environment.Time.GetUtcNow(), cancel), slots);
        if (woken)
        {
            Recorded?.Invoke();
        }
    }

    /// <summary>Writes to the store until it takes it: a failure that is not kept must not be acknowledged.</summary>
    /// <remarks>
    /// The caller's slot is given back meanwhile, so that retries go on, which may be what makes room in a full store; no pump takes a new delivery until the store is up,
    /// so that what is held stays as little as was in flight.
    /// </remarks>
    public async Task PersistAsync(Func<CancellationToken, ValueTask> write, HandlerSlots slots)
    {
        if (await TryWriteAsync(write, 1, FirstBackoff))
        {
            return;
        }

        Interlocked.Increment(ref heldWrites);
        slots.GiveBack();
        try
        {
            var backoff = FirstBackoff;
            for (var attempt = 2; ; attempt++)
            {
                await Task.Delay(backoff, environment.Time, environment.Abort);
                backoff = backoff * 2 < LongestBackoff ? backoff * 2 : LongestBackoff;
                if (await TryWriteAsync(write, attempt, backoff))
                {
                    return;
                }
            }
        }
        finally
        {
            if (Interlocked.Decrement(ref heldWrites) == 0)
            {
                Interlocked.Exchange(ref up, null)?.TrySetResult();
            }

            // After an abort nobody counts any more, and whoever waits for all slots may hold this one.
            if (!environment.Abort.IsCancellationRequested)
            {
                await slots.TakeAsync();
            }
        }
    }

    /// <summary>Waits for another event without holding a slot: it may have given its own back because the store is down, and needs one to go on.</summary>
    public Task WaitForAsync(Task other, HandlerSlots slots) => slots.WaitWithoutAsync(other, environment.Abort);

    /// <summary>Completes at once, or when the store takes writes again, or when the bus aborts.</summary>
    public Task WhenStoreIsUpAsync()
    {
        if (!StoreIsDown)
        {
            return Task.CompletedTask;
        }

        var waiting = Volatile.Read(ref up) ?? Interlocked.CompareExchange(ref up, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), null) ?? up;

        // Looked at again after it is armed: the last held write may have ended in between. An abort ends the held writes, and so this wait.
        return waiting is null || !StoreIsDown ? Task.CompletedTask : waiting.Task;
    }

    private async Task KeepAsync(FailurePolicy policy, FailedEvent entry, Failure failure, DateTimeOffset now, HandlerSlots slots)
    {
        var exception = (failure as Threw)?.Exception;
        var error = Cut(failure is Rejected rejected ? rejected.Rejection.Error : FirstLine($"{exception!.GetType()}: {exception.Message}"), MaxErrorLength);
        var reason = Judge(policy, entry, failure);
        var counted = failure is Threw { Counts: false } ? entry.Starts - 1 : entry.Starts;
        entry = entry with
        {
            Status = reason is null ? FailedEventStatus.Waiting : FailedEventStatus.Dead,
            Reason = reason ?? entry.Reason,
            DueAt = reason is null ? now + policy.Retry.DelayAfter(counted) : default,
            LineKey = reason is null || !policy.ContinueWhenBlocked ? entry.LineKey : null,
            Starts = counted,
            LastFailedAt = now,
            Error = error,
            ErrorDetails = exception is null ? null : Cut(exception.ToString(), MaxDetailsLength),
            History = exception is null ? entry.History : [.. entry.History.TakeLast(FailedEvent.MaxHistory - 1), new FailedStart(entry.Starts, now, error)],
            NeedsAlert = reason is not null && alerts.IsWanted,
        };

        // The order of the two is that in which a kill between them does no harm: what is kept already runs again and is not stale, and what is fresh must not be passed before it is kept.
        var passes = reason is not null && GoesOnPast(policy, entry);
        if (passes && entry.Claim != 0)
        {
            await AdvanceAsync(policy, entry.OrderKey!, entry.Position, slots);
        }

        var kept = false;
        if (reason is not null)
        {
            alerts.Expect();
        }

        try
        {
            await PersistAsync(async cancel => kept = await store.RecordAsync(entry, cancel), slots);
            Report(entry, kept, exception);
        }
        finally
        {
            if (reason is not null)
            {
                alerts.Reported();
            }
        }

        if (passes && entry.Claim == 0)
        {
            await AdvanceAsync(policy, entry.OrderKey!, entry.Position, slots);
        }
    }

    /// <summary>The later numbers of the key do not wait for this dead letter. They do if it died because too many wait: its turn had not come, and those before it are not to be passed.</summary>
    private static bool GoesOnPast(FailurePolicy policy, FailedEvent dead) =>
        policy.ContinueWhenBlocked && dead is { OrderKey: not null, Position: not null, Reason: not DeadLetterReason.KeyBlocked };

    private void Report(FailedEvent entry, bool kept, Exception? exception)
    {
        if (!kept)
        {
            environment.Log.KeptAlready(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, exception);
        }
        else if (entry.Status == FailedEventStatus.Dead)
        {
            environment.Diagnostics.DeadLettered(entry.Envelope, entry.Subscription, entry.Reason);
            environment.Log.DeadLettered(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, entry.Reason, entry.Starts, entry.Id, entry.Error, exception);
        }
        else
        {
            environment.Diagnostics.WillRetry(entry.Envelope, entry.Subscription);
            environment.Log.WillRetry(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, entry.Starts, entry.DueAt, exception);
            Recorded?.Invoke();
        }
    }

    private async Task<DeferOutcome> DeferAsync(FailedEvent entry, Deferred deferred, DateTimeOffset now, DateTimeOffset deadline, HandlerSlots slots)
    {
        var recheck = now + deferred.Recheck;
        entry = entry with { Status = FailedEventStatus.Deferred, LineKey = null, DueAt = recheck < deadline ? recheck : deadline };
        var outcome = DeferOutcome.Full;
        await PersistAsync(async cancel => outcome = await store.DeferAsync(entry, deferred.Stamp, maxWaitingPerKey, cancel), slots);
        if (outcome == DeferOutcome.Deferred)
        {
            environment.Log.Deferred(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, deadline);
            Recorded?.Invoke();
        }

        return outcome;
    }

    private async ValueTask RecordedAsync(FailedEvent entry, CancellationToken cancellationToken) => await store.RecordAsync(entry, cancellationToken);

    private FailedEvent NotStarted(FailedEvent entry) => entry with { Status = FailedEventStatus.Waiting, Starts = entry.Starts - 1, DueAt = environment.Time.GetUtcNow() };

    private async Task<bool> TryWriteAsync(Func<CancellationToken, ValueTask> write, int attempt, TimeSpan backoff)
    {
        try
        {
            await write(environment.Abort);
            return true;
        }
        catch (Exception exception) when (exception is not EffectException && !environment.Abort.IsCancellationRequested)
        {
            environment.Log.StoreDown(attempt, backoff, exception);
            return false;
        }
    }

    /// <summary>Why the event is dead; null while a retry follows.</summary>
    private static DeadLetterReason? Judge(FailurePolicy policy, FailedEvent entry, Failure failure) =>
        failure is Rejected { Rejection.Reason: var reason } ? reason
        : policy.Retry.IsPermanent(((Threw)failure).Exception) ? DeadLetterReason.PermanentFailure
        : failure is Threw { Counts: false } ? null
        : policy.Retry.Allows(entry.Starts) ? null
        : DeadLetterReason.HandlerFailed;

    private static string FirstLine(string text) => text.AsSpan().IndexOfAny('\r', '\n') is >= 0 and var end ? text[..end] : text;

    private static string Cut(string text, int length) => text.Length <= length ? text : text[..length];
}
