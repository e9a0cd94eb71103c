using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Defines the log messages about failed events: retries, dead letters, their alerts and their store.
/// </summary>
/// <remarks>Log messages contain names and ids only: never a body, a header or a connection string.</remarks>
internal static partial class FailureLog
{
    [LoggerMessage(
        20,
        LogLevel.Warning,
        "{Subscription} failed to handle {EventName} {EventId} in attempt {Attempt}; the next attempt is due at {DueAt:O}")]
    public static partial void WillRetry(
        this ILogger log,
        string subscription,
        string eventName,
        string eventId,
        int attempt,
        DateTimeOffset dueAt,
        Exception? exception);

    [LoggerMessage(
        21,
        LogLevel.Critical,
        "{Subscription} failed for good on {EventName} {EventId} (key {Key}, {Attempts} attempts, {ErrorType}, {Reason}); the event is "
            + "kept as dead letter {DeadLetterId}, shown by {ShownBy}: {Error}")]
    public static partial void DeadLettered(
        this ILogger log,
        string subscription,
        string eventName,
        string eventId,
        string? key,
        int attempts,
        string? errorType,
        DeadLetterReason reason,
        string deadLetterId,
        string shownBy,
        string? error,
        Exception? exception);

    [LoggerMessage(
        22,
        LogLevel.Error,
        "The alert {Alert} failed for {Count} dead letters, the first of them {DeadLetterId}; it is sent again later")]
    public static partial void AlertFailed(this ILogger log, Type alert, int count, string deadLetterId, Exception exception);

    [LoggerMessage(
        23,
        LogLevel.Warning,
        "{Subscription} failed to handle {EventName} {EventId}. The failure is not recorded again, because it is recorded already or "
            + "another instance has taken the event over")]
    public static partial void KeptAlready(this ILogger log, string subscription, string eventName, string eventId, Exception? exception);

    [LoggerMessage(24, LogLevel.Information, "The dead letter {DeadLetterId} is retried manually")]
    public static partial void Retried(this ILogger log, string deadLetterId);

    [LoggerMessage(25, LogLevel.Information, "The dead letter {DeadLetterId} is discarded: {Reason}")]
    public static partial void Discarded(this ILogger log, string deadLetterId, string reason);

    [LoggerMessage(
        26,
        LogLevel.Error,
        "The failure store did not accept a write (attempt {Attempt}). The event stays unacknowledged, and the write is repeated after "
            + "{Backoff}")]
    public static partial void StoreDown(this ILogger log, int attempt, TimeSpan backoff, Exception exception);

    [LoggerMessage(
        28,
        LogLevel.Warning,
        "Another instance took over {Count} failed events that this instance was handling, because their leases were not renewed in time")]
    public static partial void ClaimsLost(this ILogger log, int count);

    [LoggerMessage(
        29,
        LogLevel.Information,
        "{Count} dead letters were older than the retention time (EventBusOptions.DeadLetterRetention) and were removed")]
    public static partial void Expired(this ILogger log, int count);

    [LoggerMessage(
        36,
        LogLevel.Information,
        "The bus stopped before {Subscription} could handle the claimed event {EventName} {EventId}, and the store did not accept its "
            + "release. The event is delivered again when its lease has expired")]
    public static partial void NotReleased(this ILogger log, string subscription, string eventName, string eventId, Exception exception);

    [LoggerMessage(37, LogLevel.Information, "{Count} dead letters are due for a manual retry, each with all retries available again")]
    public static partial void RetriedAll(this ILogger log, int count);

    [LoggerMessage(
        70,
        LogLevel.Error,
        "The store has no room for new data of {Subscription} (attempt {Attempt}); the subscription takes no events until there is room. "
            + "The write is repeated after {Backoff}")]
    public static partial void NoRoom(this ILogger log, string subscription, int attempt, TimeSpan backoff, Exception exception);

    [LoggerMessage(
        71,
        LogLevel.Error,
        "The store did not accept the entry of {Subscription} for {EventName} {EventId} (attempt {Attempt}), but accepts other writes. "
            + "Only this subscription waits, and the write is repeated after {Backoff}")]
    public static partial void EntryHeld(
        this ILogger log,
        string subscription,
        string eventName,
        string eventId,
        int attempt,
        TimeSpan backoff,
        Exception exception);

    [LoggerMessage(
        72,
        LogLevel.Error,
        "The store cannot accept the entry of {Subscription} for {EventName} {EventId}. An entry without the parts that it cannot accept "
            + "was written instead")]
    public static partial void WrittenReduced(this ILogger log, string subscription, string eventName, string eventId, Exception exception);

    [LoggerMessage(
        73,
        LogLevel.Error,
        "The store permanently refuses a call that {Subscription} needs for {EventName} {EventId}; the exception names the reason. The "
            + "event is processed without the result of this call")]
    public static partial void StepLeftOut(this ILogger log, string subscription, string eventName, string eventId, Exception exception);

    [LoggerMessage(
        74,
        LogLevel.Warning,
        "The lease of {EventName} {EventId}, which {Subscription} is handling, could not be renewed. The other leases are renewed "
            + "separately")]
    public static partial void NotRenewed(this ILogger log, string subscription, string eventName, string eventId, Exception exception);

    [LoggerMessage(
        75,
        LogLevel.Error,
        "The store could not return the due retries of {Subscription}. They stay due, and the other subscriptions continue")]
    public static partial void NotClaimed(this ILogger log, string subscription, Exception exception);

    [LoggerMessage(
        76,
        LogLevel.Error,
        "The store could not record that the alert of the dead letter {DeadLetterId} was sent; after a restart it may be sent again")]
    public static partial void NotMarked(this ILogger log, string deadLetterId, Exception exception);
}
