using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Defines the log messages of the Redis backend. They contain names and ids, never a body, a header or a connection
/// string.
/// </summary>
internal static partial class Log
{
    /// <summary>Creates the logger of the backend from the application's services.</summary>
    public static ILogger Create(IServiceProvider services) =>
        BackendLog.Create(services.GetService<ILoggerFactory>(), "EventBus.Redis", services.GetService<TimeProvider>());

    [LoggerMessage(
        201,
        LogLevel.Warning,
        "Redis keeps no append-only file (appendonly no): events that it accepted are lost when it stops. Set appendonly yes")]
    public static partial void NoAppendOnlyFile(this ILogger log);

    [LoggerMessage(224, LogLevel.Information, "Could not check {What}: Redis refuses {Commands} to this user. Everything else works")]
    public static partial void NotChecked(this ILogger log, string what, string commands);

    [LoggerMessage(
        225,
        LogLevel.Information,
        "This user has no right to the delayed events in Redis: they are left to other instances, and none can be published with a delay "
            + "here")]
    public static partial void DelaysDenied(this ILogger log);

    [LoggerMessage(
        210,
        LogLevel.Warning,
        "Redis is out of reach. The bus starts without it and keeps trying; until then nothing is received or kept, and publishing fails")]
    public static partial void StartedDegraded(this ILogger log);

    [LoggerMessage(202, LogLevel.Warning, "The subscription {Subscription} cannot read from Redis; it keeps trying")]
    public static partial void CannotRead(this ILogger log, string subscription, Exception exception);

    [LoggerMessage(203, LogLevel.Information, "The subscription {Subscription} reads from Redis again")]
    public static partial void BackInReach(this ILogger log, string subscription);

    [LoggerMessage(
        204,
        LogLevel.Error,
        "The consumer group {Group} has vanished from the stream {Stream} and is created again at {Position}: it was destroyed, or Redis "
            + "has lost data. Events may be delivered twice")]
    public static partial void GroupVanished(this ILogger log, string group, string stream, string position);

    [LoggerMessage(
        211,
        LogLevel.Error,
        "Redis has lost events of the stream {Stream}: it was read up to {Seen}, and now ends at {End}. Look for a FLUSHALL, a deleted "
            + "key, a restart without an append-only file")]
    public static partial void DataLost(this ILogger log, string stream, string seen, string end);

    [LoggerMessage(
        212,
        LogLevel.Information,
        "This instance delivers the events of the ordered group {Group} from now on, under the lease {Token}")]
    public static partial void TookLease(this ILogger log, string group, string token);

    [LoggerMessage(
        213,
        LogLevel.Warning,
        "The lease {Token} of the ordered group {Group} is lost to this instance: another has it, or it could not be renewed in time")]
    public static partial void LeaseLost(this ILogger log, string group, string token);

    [LoggerMessage(205, LogLevel.Error, "{Count} entries of the stream {Stream} were deleted before the group {Group} had handled them")]
    public static partial void EntriesDeleted(this ILogger log, int count, string stream, string group);

    [LoggerMessage(
        206,
        LogLevel.Information,
        "The group {Group} took over {Count} entries of the stream {Stream} that another consumer left")]
    public static partial void TookOver(this ILogger log, string group, int count, string stream);

    [LoggerMessage(
        207,
        LogLevel.Warning,
        "{Count} deliveries of the subscription {Subscription} are lost to this instance: they were taken over, or could not be renewed "
            + "in time")]
    public static partial void DeliveriesLost(this ILogger log, int count, string subscription);

    [LoggerMessage(
        208,
        LogLevel.Warning,
        "Closing the subscription {Subscription} did not reach Redis: unsettled events are redelivered after {ClaimAfter}")]
    public static partial void NotReleased(this ILogger log, string subscription, TimeSpan claimAfter, Exception exception);

    [LoggerMessage(
        216,
        LogLevel.Error,
        "The key {Stream} has the name of a stream of events and is not a stream: the group {Group} leaves it out until that is fixed. "
            + "Rename the key, or delete it")]
    public static partial void NotAStream(this ILogger log, string stream, string group);

    [LoggerMessage(
        222,
        LogLevel.Error,
        "The user has no right to the stream {Stream}: the group {Group} leaves it out until it has. Grant it the key")]
    public static partial void StreamDenied(this ILogger log, string stream, string group);

    [LoggerMessage(
        223,
        LogLevel.Error,
        "The key {Key}, which is not a stream, cannot be used, and counts as empty until it can: {Refusal}. Delete it or rename it, or "
            + "grant the right to it")]
    public static partial void KeyUnusable(this ILogger log, string key, string refusal);

    [LoggerMessage(
        217,
        LogLevel.Error,
        "The stream {Stream} cannot be trimmed, nor its groups watched; that is tried again every {Period}")]
    public static partial void CannotTrim(this ILogger log, string stream, TimeSpan period, Exception exception);

    [LoggerMessage(236, LogLevel.Error, "The streams cannot be trimmed, nor their groups watched; that is tried again every {Period}")]
    public static partial void CannotTrimAny(this ILogger log, TimeSpan period, Exception exception);

    [LoggerMessage(218, LogLevel.Error, "The subscription {Subscription} cannot {What}; it keeps trying. Logged once, until it can")]
    public static partial void MaintenanceFails(this ILogger log, string subscription, string what, Exception exception);

    [LoggerMessage(
        220,
        LogLevel.Warning,
        "The stream {Stream} holds an event {EventName}, which belongs in {Home}: the subscription {Subscription} skips it, and its "
            + "subscribers do not read this stream. Logged once for each stream; let the publisher add it to {Home}")]
    public static partial void Misplaced(this ILogger log, string stream, string eventName, string home, string subscription);

    [LoggerMessage(
        221,
        LogLevel.Error,
        "{Count} events of the stream {Stream} were handled, and cannot be acknowledged for the subscription {Subscription}: its group "
            + "or the stream is gone, or its key holds something else")]
    public static partial void NotAcknowledged(this ILogger log, int count, string stream, string subscription, Exception exception);

    [LoggerMessage(219, LogLevel.Error, "{Reason}")]
    public static partial void TooOld(this ILogger log, string reason);

    [LoggerMessage(
        214,
        LogLevel.Warning,
        "The consumer group {Group} of the stream {Stream} has not read its events for more than {IdleGroupAfter} and holds up the "
            + "trimming. Start an instance that uses it, or remove it: {Removal}")]
    public static partial void GroupIdle(this ILogger log, string group, string stream, TimeSpan idleGroupAfter, string removal);

    [LoggerMessage(
        215,
        LogLevel.Error,
        "The consumer group {Group} lost {Count} events of the stream {Stream} to its maximum length (RedisOptions.MaxLength)")]
    public static partial void LostToMaxLength(this ILogger log, string group, long count, string stream);

    [LoggerMessage(
        226,
        LogLevel.Warning,
        "No consumer group reads the stream {Stream}: its oldest events are cut off beyond {Limit} (RedisOptions.MaxUnreadLength). "
            + "Subscribe to them, or stop publishing them. Logged once")]
    public static partial void StreamUnread(this ILogger log, string stream, long limit);

    [LoggerMessage(
        227,
        LogLevel.Warning,
        "No subscription of this application uses the consumer group {Group} of the stream {Stream}, and new events wait in it. If the "
            + "group is no longer needed, call {Removal}. Logged once")]
    public static partial void GroupLeftBehind(this ILogger log, string group, string stream, string removal);

    [LoggerMessage(
        228,
        LogLevel.Warning,
        "The sentinels name no primary of the service {Service}, to which no connection can be made until they do; the bus keeps asking")]
    public static partial void NoPrimary(this ILogger log, string service, Exception exception);

    [LoggerMessage(
        230,
        LogLevel.Warning,
        "{Count} events of the subscription {Subscription} were dropped, because it holds as many unhandled ones as it may. Make its "
            + "handlers faster, raise its concurrency, or use a backend that keeps events")]
    public static partial void Dropped(this ILogger log, long count, string subscription);

    [LoggerMessage(
        231,
        LogLevel.Warning,
        "The connection over which Redis sends events is lost ({Failure}): events that are published until it is restored never arrive "
            + "here")]
    public static partial void ListeningLost(this ILogger log, string failure);

    [LoggerMessage(
        232,
        LogLevel.Warning,
        "Redis sends events again. Events that were published meanwhile are lost to this instance, and their number is unknown")]
    public static partial void ListeningAgain(this ILogger log);

    [LoggerMessage(
        233,
        LogLevel.Error,
        "{Count} events of the subscription {Subscription} were received and not handled when it closed, and are lost")]
    public static partial void LostAtClose(this ILogger log, long count, string subscription);

    [LoggerMessage(235, LogLevel.Error, "The subscription {Subscription} cannot take a message from Redis, and drops it: {Error}")]
    public static partial void NotTaken(this ILogger log, string subscription, string error);

    [LoggerMessage(
        234,
        LogLevel.Warning,
        "{Subscription} received an event {EventName} without an id; it was made from the content, so two equal events count as one. "
            + "Logged once; let the publisher send a CloudEvents envelope with an id")]
    public static partial void IdMadeFromContent(this ILogger log, string subscription, string eventName);
}
