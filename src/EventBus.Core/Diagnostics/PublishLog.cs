using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Defines the log messages about published and delayed events.</summary>
/// <remarks>Log messages contain names and ids only: never a body, a header or a connection string.</remarks>
internal static partial class PublishLog
{
    [LoggerMessage(
        10,
        LogLevel.Warning,
        "No subscription matches {EventName}: such events are accepted and delivered nowhere. Declare the event type with "
            + "RequireSubscriber() to make this an error. Logged once for each type")]
    public static partial void NoSubscription(this ILogger log, string eventName);

    [LoggerMessage(
        11,
        LogLevel.Warning,
        "An event {EventName} has {Bytes} bytes as JSON, more than {WarnBytes} (EventBusOptions.WarnBodyBytes).{LargestMembers} Publish "
            + "ids instead of whole objects, and let handlers load what they need. Logged once for each type")]
    public static partial void LargeEvent(this ILogger log, string eventName, int bytes, int warnBytes, string largestMembers);

    [LoggerMessage(
        12,
        LogLevel.Warning,
        "The delayed event {EventName} {EventId} could not be published. It stays in the store, and is tried again when its lease has "
            + "expired")]
    public static partial void DelayedPublishFailed(this ILogger log, string eventName, string eventId, Exception exception);

    [LoggerMessage(
        13,
        LogLevel.Error,
        "The delayed event {EventName} {EventId} was due, and no subscription matches it, although its type requires a subscriber. It is "
            + "removed from the store, because no retry would deliver it")]
    public static partial void DelayedWithoutSubscriber(this ILogger log, string eventName, string eventId, Exception exception);

    [LoggerMessage(
        77,
        LogLevel.Error,
        "The delayed event {EventName} {EventId} was published, but the store did not remove it. It is published again with the same id "
            + "when its lease has expired")]
    public static partial void DelayedNotRemoved(this ILogger log, string eventName, string eventId, Exception exception);
}
