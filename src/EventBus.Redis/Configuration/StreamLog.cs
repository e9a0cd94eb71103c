using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Defines the log messages of the transport over Redis Streams.</summary>
internal static partial class StreamLog
{
    [LoggerMessage(202, LogLevel.Warning, "The subscription {Subscription} cannot read from Redis, and tries again")]
    public static partial void CannotRead(this ILogger log, string subscription, Exception exception);

    [LoggerMessage(203, LogLevel.Information, "The subscription {Subscription} reads from Redis again")]
    public static partial void BackInReach(this ILogger log, string subscription);

    [LoggerMessage(
        204,
        LogLevel.Error,
        "The consumer group {Group} of the stream {Stream} has vanished, and is created again at the position {Position}. It was "
            + "destroyed, or Redis has lost data. Events may be delivered twice")]
    public static partial void GroupVanished(this ILogger log, string group, string stream, string position);

    [LoggerMessage(
        211,
        LogLevel.Error,
        "Redis has lost events of the stream {Stream}: the group had reached {Position}, but the last id of the stream is {End}. Possible "
            + "causes are FLUSHALL, a deleted key, or a restart without an append-only file")]
    public static partial void DataLost(this ILogger log, string stream, string position, string end);

    [LoggerMessage(
        212,
        LogLevel.Information,
        "This instance now holds the lease {Token} of the ordered group {Group}, and delivers its events")]
    public static partial void TookLease(this ILogger log, string group, string token);

    [LoggerMessage(
        213,
        LogLevel.Warning,
        "This instance no longer holds the lease {Token} of the ordered group {Group}: another instance took it, or it was not renewed "
            + "in time. Unsettled events are redelivered")]
    public static partial void LeaseLost(this ILogger log, string group, string token);

    [LoggerMessage(
        205,
        LogLevel.Error,
        "{Count} events of the stream {Stream} were deleted before the consumer group {Group} had handled them. They are lost for this "
            + "group")]
    public static partial void EntriesDeleted(this ILogger log, int count, string stream, string group);

    [LoggerMessage(
        206,
        LogLevel.Information,
        "The consumer group {Group} took over {Count} events of the stream {Stream} from an instance that ended or released them")]
    public static partial void TookOver(this ILogger log, string group, int count, string stream);

    [LoggerMessage(
        207,
        LogLevel.Warning,
        "This instance no longer owns {Count} events of the subscription {Subscription}, which are redelivered: another instance took "
            + "them over, or they were not renewed in time")]
    public static partial void DeliveriesLost(this ILogger log, int count, string subscription);

    [LoggerMessage(
        208,
        LogLevel.Warning,
        "The subscription {Subscription} was closed, but could not release its unsettled events in Redis. They are redelivered after "
            + "{ClaimAfter}")]
    public static partial void NotReleased(this ILogger log, string subscription, TimeSpan claimAfter, Exception exception);

    [LoggerMessage(
        216,
        LogLevel.Error,
        "The key {Stream} has the name of a stream of events, but is not a stream. The consumer group {Group} does not read it. Rename "
            + "or delete the key")]
    public static partial void NotAStream(this ILogger log, string stream, string group);

    [LoggerMessage(
        222,
        LogLevel.Error,
        "The user has no right to access the stream {Stream}. The consumer group {Group} does not read it. Grant the user the right to "
            + "this key")]
    public static partial void StreamDenied(this ILogger log, string stream, string group);

    /// <summary>Logs that a task of a subscription fails.</summary>
    /// <param name="log">The log.</param>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="task">The task; begins with a verb, for instance "renew its lease".</param>
    /// <param name="exception">The error.</param>
    [LoggerMessage(
        218,
        LogLevel.Error,
        "The subscription {Subscription} cannot {Task}, and tries again. Logged once, until the task succeeds")]
    public static partial void MaintenanceFails(this ILogger log, string subscription, string task, Exception exception);

    [LoggerMessage(
        220,
        LogLevel.Warning,
        "The stream {Stream} contains an event {EventName}, but the subscriptions to this event read the stream {RightStream}, so it is "
            + "not handled. The subscription {Subscription} skips it. Correct the publisher. Logged once for each stream")]
    public static partial void Misplaced(this ILogger log, string stream, string eventName, string rightStream, string subscription);

    [LoggerMessage(
        221,
        LogLevel.Error,
        "{Count} handled events of the stream {Stream} cannot be acknowledged for the subscription {Subscription}: the consumer group or "
            + "the stream was deleted, the key is not a stream, or the user has no right to access it")]
    public static partial void NotAcknowledged(this ILogger log, int count, string stream, string subscription, Exception exception);
}
