using System.Diagnostics;
using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Decides what becomes of an event that was not handled: a retry, a wait for its turn, or a dead letter. Returns the
/// entry to record; reads no clock and writes nothing.
/// </summary>
internal static class FailureClassifier
{
    public const int MaxErrorLength = ExceptionText.MaxMessage;

    /// <summary>
    /// Decides about an event whose handler failed, or was not called because the event is rejected or claimed by
    /// another attempt.
    /// </summary>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="entry">The event; its attempts include this one.</param>
    /// <param name="failure">The reason of the failure.</param>
    /// <param name="now">The current time.</param>
    /// <returns>The entry, waiting for a retry or dead.</returns>
    public static FailedEvent Classify(FailurePolicy policy, FailedEvent entry, Failure failure, DateTimeOffset now) => failure switch
    {
        Rejected rejected => ClassifyRejection(policy, entry, rejected.Rejection, now),
        Threw threw => ClassifyException(policy, entry, threw, now),
        ClaimedElsewhere claimed => entry with
        {
            Status = FailedEventStatus.Waiting,
            Attempts = claimed.Attempts,
            Concurrent = 0,
            LastFailedAt = entry.LastFailedAt == default ? now : entry.LastFailedAt,
            DueAt = now + claimed.Recheck,
        },
        _ => throw new UnreachableException($"{failure.GetType()} is recorded in another way."),
    };

    /// <summary>Decides about an event that its guard deferred.</summary>
    /// <param name="entry">The event; its attempts include a call of the handler that was not made.</param>
    /// <param name="deferred">The wait.</param>
    /// <param name="now">The current time.</param>
    /// <returns>
    /// The entry, waiting for another event of its key; and the end of that wait, which may be over already.
    /// </returns>
    public static (FailedEvent Entry, DateTimeOffset Deadline) Defer(FailedEvent entry, Deferred deferred, DateTimeOffset now)
    {
        // The later deadline after a start or a pause is not stored: it applies to this instance only.
        var storedDeadline = entry.Deadline ?? now + deferred.Timeout;
        var deadline = storedDeadline > deferred.EarliestDeadline ? storedDeadline : deferred.EarliestDeadline;
        var recheckAt = now + deferred.Recheck;
        var waiting = entry with
        {
            Status = FailedEventStatus.Deferred,
            LineKey = null,
            Attempts = entry.Attempts - 1,
            Position = deferred.Position,
            Deadline = storedDeadline,
            DueAt = recheckAt < deadline ? recheckAt : deadline,
        };
        return (waiting, deadline);
    }

    /// <summary>
    /// True if the entry is a dead letter for which events with later numbers do not wait. False if it became a dead
    /// letter because too many events wait: its turn had not come, and the events before it must still be handled
    /// first.
    /// </summary>
    public static bool IsPassed(FailurePolicy policy, FailedEvent entry) =>
        policy.ContinueWhenBlocked
        && entry is { Status: FailedEventStatus.Dead, Reason: not DeadLetterReason.KeyBlocked, OrderKey: not null, Position: not null };

    private static FailedEvent ClassifyRejection(FailurePolicy policy, FailedEvent entry, Rejection rejection, DateTimeOffset now) =>
        DeadLetter(policy, entry, rejection.Reason) with
        {
            LastFailedAt = now,
            Error = PrintableText.Of(rejection.Error + rejection.Foreign, MaxErrorLength),
            ErrorType = null,
            ErrorDetails = null,
        };

    private static FailedEvent ClassifyException(FailurePolicy policy, FailedEvent entry, Threw threw, DateTimeOffset now)
    {
        var error = ExceptionText.Of(threw.Exception);
        var failed = entry with
        {
            Attempts = threw.Counts ? entry.Attempts : entry.Attempts - 1,
            LastFailedAt = now,
            Error = error,
            ErrorType = ExceptionText.TypeOf(threw.Exception),
            ErrorDetails = ExceptionText.DetailsOf(threw.Exception),
            History = [.. entry.History.TakeLast(FailedEvent.MaxHistory - 1), new FailedAttempt(entry.Attempts, now, error)],
        };
        if (policy.Retry.IsPermanent(threw.Exception))
        {
            return DeadLetter(policy, failed, DeadLetterReason.PermanentFailure);
        }

        if (threw.Counts && !policy.Retry.Allows(failed.Attempts))
        {
            return DeadLetter(policy, failed, DeadLetterReason.HandlerFailed);
        }

        return failed with { Status = FailedEventStatus.Waiting, DueAt = now + policy.Retry.DelayAfter(failed.Attempts) };
    }

    private static FailedEvent DeadLetter(FailurePolicy policy, FailedEvent entry, DeadLetterReason reason) => entry with
    {
        Status = FailedEventStatus.Dead,
        Reason = reason,
        DueAt = default,
        LineKey = policy.ContinueWhenBlocked ? null : entry.LineKey,
    };
}
