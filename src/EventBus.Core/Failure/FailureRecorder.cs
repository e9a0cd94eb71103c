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

    private int storeFailures;

    /// <summary>Called after an entry was kept that will be due.</summary>
    public Action? Recorded { get; set; }

    /// <summary>The store did not take the last thing that was written to it.</summary>
    public bool StoreIsDown => Volatile.Read(ref storeFailures) > 0;

    /// <summary>Records the failure of a fresh delivery.</summary>
    /// <exception cref="OperationCanceledException">The bus stops before the store took it: release the delivery.</exception>
    public Task RecordAsync(FailurePolicy policy, Envelope envelope, Failure failure) =>
        RecordAsync(
            policy,
            new FailedEvent
            {
                Subscription = policy.Subscription,
                Envelope = envelope,
                Status = FailedEventStatus.Waiting,
                LineKey = policy.LineKey(envelope),
                Starts = failure is Rejected ? 0 : 1,
                FirstFailedAt = environment.Time.GetUtcNow(),
            },
            failure);

    /// <summary>Records that a claimed entry failed again.</summary>
    public async Task RecordAsync(FailurePolicy policy, FailedEvent entry, Failure failure)
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
        await PersistAsync(cancel => store.RecordAsync(entry, cancel));
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
    public async Task<bool> TryParkAsync(FailurePolicy policy, Envelope envelope, int limit)
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
        await PersistAsync(async cancel => outcome = await store.TryParkAsync(entry, limit, cancel));
        if (outcome == ParkOutcome.LineFull)
        {
            await RecordAsync(policy, entry, new Rejected(new Rejection(
                DeadLetterReason.KeyBlocked, $"{limit:N0} events of the key '{envelope.KeyText}' wait already behind a failed one. Retry or discard the first dead letter of this key, then retry these.")));
        }

        return outcome != ParkOutcome.NotBlocked;
    }

    /// <summary>Writes to the store until it takes it: a failure that is not kept must not be acknowledged, and holding the delivery stops the intake.</summary>
    public async Task PersistAsync(Func<CancellationToken, ValueTask> write)
    {
        for (var (attempt, backoff) = (1, FirstBackoff); ; attempt++)
        {
            try
            {
                await write(environment.Abort);
                Volatile.Write(ref storeFailures, 0);
                return;
            }
            catch (Exception exception) when (!environment.Abort.IsCancellationRequested)
            {
                Volatile.Write(ref storeFailures, attempt);
                environment.Log.StoreDown(attempt, backoff, exception);
            }

            await Task.Delay(backoff, environment.Time, environment.Abort);
            backoff = backoff * 2 < LongestBackoff ? backoff * 2 : LongestBackoff;
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
