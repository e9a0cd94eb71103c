using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Decides what becomes of a failed event, and sees that the decision is kept before the event is acknowledged.</summary>
internal sealed class FailureRecorder(FailureStore store, AlertLoop alerts, RunEnvironment environment)
{
    private const int MaxErrorLength = 1_024;
    private const int MaxDetailsLength = 8_192;

    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(5);

    private int heldWrites;
    private TaskCompletionSource? up;

    /// <summary>Called after an entry was kept that will be due.</summary>
    public Action? Recorded { get; set; }

    /// <summary>At least one write is held, because the store does not take it.</summary>
    public bool StoreIsDown => Volatile.Read(ref heldWrites) > 0;

    /// <summary>Records the failure of a fresh delivery.</summary>
    /// <exception cref="OperationCanceledException">The bus stops before the store took it: release the delivery.</exception>
    /// <param name="policy">How the subscription fails.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="failure">Why it failed.</param>
    /// <param name="slots">Where the caller holds a slot, given back for as long as the store is down.</param>
    public Task RecordAsync(FailurePolicy policy, Envelope envelope, Failure failure, HandlerSlots slots) =>
        RecordAsync(
            policy,
            new FailedEvent
            {
                Subscription = policy.Subscription,
                Envelope = envelope,
                Status = FailedEventStatus.Waiting,

                // What could not be read and says no key holds back nobody: it is in no order with anything.
                LineKey = failure is Rejected && envelope.KeyText is null ? null : policy.LineKey(envelope),
                Starts = failure is Rejected ? 0 : 1,
                FirstFailedAt = environment.Time.GetUtcNow(),
            },
            failure,
            slots);

    /// <summary>Records that a claimed entry failed again.</summary>
    public async Task RecordAsync(FailurePolicy policy, FailedEvent entry, Failure failure, HandlerSlots slots)
    {
        var now = environment.Time.GetUtcNow();
        var exception = (failure as Threw)?.Exception;
        var reason = Judge(policy, entry, failure);
        entry = entry with
        {
            Status = reason is null ? FailedEventStatus.Waiting : FailedEventStatus.Dead,
            Reason = reason ?? default,
            DueAt = reason is null ? now + policy.Retry.DelayAfter(entry.Starts) : default,
            FirstFailedAt = entry.FirstFailedAt == default ? now : entry.FirstFailedAt,
            LastFailedAt = now,
            Error = Cut(failure is Rejected rejected ? rejected.Rejection.Error : FirstLine($"{exception!.GetType()}: {exception.Message}"), MaxErrorLength),
            ErrorDetails = exception is null ? null : Cut(exception.ToString(), MaxDetailsLength),
        };

        // Counted before it is kept: whoever waits for idleness sees the alert as soon as the entry is dead.
        using var pending = reason is null ? default : alerts.Expect();
        await PersistAsync(cancel => store.RecordAsync(entry, cancel), slots);
        if (reason is null)
        {
            environment.Diagnostics.WillRetry(entry.Envelope, entry.Subscription);
            environment.Log.WillRetry(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, entry.Starts, entry.DueAt, exception);
            Recorded?.Invoke();
        }
        else
        {
            environment.Diagnostics.DeadLettered(entry.Envelope, entry.Subscription, entry.Reason);
            alerts.Raise(entry, exception);
        }
    }

    /// <summary>Parks an event behind a failed one of its key. False: nothing blocks it, handle it.</summary>
    public async Task<bool> TryParkAsync(FailurePolicy policy, Envelope envelope, int limit, HandlerSlots slots)
    {
        var now = environment.Time.GetUtcNow();
        var entry = new FailedEvent
        {
            Subscription = policy.Subscription,
            Envelope = envelope,
            Status = FailedEventStatus.Parked,
            LineKey = policy.LineKey(envelope),
            FirstFailedAt = now,
            LastFailedAt = now,
        };
        var outcome = ParkOutcome.NotBlocked;
        await PersistAsync(async cancel => outcome = await store.TryParkAsync(entry, limit, cancel), slots);
        if (outcome == ParkOutcome.LineFull)
        {
            await RecordAsync(policy, entry, new Rejected(new Rejection(
                DeadLetterReason.KeyBlocked, $"{limit:N0} events of the key '{envelope.KeyText}' wait already behind a failed one. Retry or discard the first dead letter of this key, then retry these.")), slots);
        }

        return outcome != ParkOutcome.NotBlocked;
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

    private async Task<bool> TryWriteAsync(Func<CancellationToken, ValueTask> write, int attempt, TimeSpan backoff)
    {
        try
        {
            await write(environment.Abort);
            return true;
        }
        catch (Exception exception) when (!environment.Abort.IsCancellationRequested)
        {
            environment.Log.StoreDown(attempt, backoff, exception);
            return false;
        }
    }

    /// <summary>Why the event is dead; null while a retry follows.</summary>
    private static DeadLetterReason? Judge(FailurePolicy policy, FailedEvent entry, Failure failure) =>
        failure is Rejected { Rejection.Reason: var reason } ? reason
        : policy.Retry.IsPermanent(((Threw)failure).Exception) ? DeadLetterReason.PermanentFailure
        : policy.Retry.Allows(entry.Starts) ? null
        : DeadLetterReason.HandlerFailed;

    private static string FirstLine(string text) => text.AsSpan().IndexOfAny('\r', '\n') is >= 0 and var end ? text[..end] : text;

    private static string Cut(string text, int length) => text.Length <= length ? text : text[..length];
}
