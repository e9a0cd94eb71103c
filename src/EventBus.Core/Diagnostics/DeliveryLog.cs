using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Defines the log messages about handlers and subscriptions.</summary>
/// <remarks>Log messages contain names and ids only: never a body, a header or a connection string.</remarks>
internal static partial class DeliveryLog
{
    [LoggerMessage(
        27,
        LogLevel.Debug,
        "{Subscription} lets {EventName} {EventId} wait for an earlier event of its key, until {Deadline:O} at most")]
    public static partial void Deferred(this ILogger log, string subscription, string eventName, string eventId, DateTimeOffset deadline);

    [LoggerMessage(
        57,
        LogLevel.Debug,
        "{Subscription} lets {EventName} {EventId} wait in the store, because another attempt has claimed it and may have ended with its "
            + "process. The next attempt is due at {DueAt:O}")]
    public static partial void WaitsForClaim(this ILogger log, string subscription, string eventName, string eventId, DateTimeOffset dueAt);

    [LoggerMessage(
        30,
        LogLevel.Warning,
        "A handler of {Subscription} for {EventName} {EventId} did not end after its token was cancelled and was abandoned; it may still "
            + "be running")]
    public static partial void HandlerLeftBehind(this ILogger log, string subscription, string eventName, string eventId);

    [LoggerMessage(31, LogLevel.Error, "{Subscription} could not settle {EventName} {EventId}; the backend delivers it again")]
    public static partial void SettleFailed(this ILogger log, string subscription, string eventName, string eventId, Exception exception);

    [LoggerMessage(
        34,
        LogLevel.Error,
        "{Subscription} is paused: {Count} consecutive attempts failed within {Time}, the last with {ErrorType}. It takes no events until "
            + "a probe with one event succeeds, the first at {ProbeAt:O}")]
    public static partial void Paused(
        this ILogger log,
        string subscription,
        int count,
        TimeSpan time,
        DateTimeOffset probeAt,
        string errorType,
        Exception exception);

    [LoggerMessage(35, LogLevel.Information, "{Subscription} is resumed: an event succeeded")]
    public static partial void Resumed(this ILogger log, string subscription);

    [LoggerMessage(
        81,
        LogLevel.Error,
        "A predicate given to DeadLetterOn(...) threw for an exception of the type {ExceptionType}. The exception counts as not permanent")]
    public static partial void DeadLetterPredicateFailed(this ILogger log, Type exceptionType, Exception exception);

    [LoggerMessage(
        98,
        LogLevel.Warning,
        "An operator has started the replay {Number} of {Subscription} on this instance, from {Start}: its events are handled again")]
    public static partial void ReplayedByOperator(this ILogger log, string subscription, long number, ReplayStart start);

    [LoggerMessage(
        88,
        LogLevel.Warning,
        "{Subscription} is paused by an operator on this instance. It takes no events until it is resumed")]
    public static partial void PausedByOperator(this ILogger log, string subscription);

    [LoggerMessage(89, LogLevel.Information, "{Subscription} is resumed by an operator")]
    public static partial void ResumedByOperator(this ILogger log, string subscription);
}
