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
        "Redis writes no append-only file (appendonly no): accepted events are lost when Redis stops. Set appendonly yes")]
    public static partial void NoAppendOnlyFile(this ILogger log);

    /// <summary>Logs that a check is not possible.</summary>
    /// <param name="log">The log.</param>
    /// <param name="question">
    /// The question that the check would have answered; begins with "whether" or "which".
    /// </param>
    /// <param name="commands">The commands of Redis that the check needs.</param>
    [LoggerMessage(
        224,
        LogLevel.Information,
        "The bus cannot check {Question}: {Commands} gave no usable answer in Redis. Perhaps the user has no right to it. Everything "
            + "else works")]
    public static partial void NotChecked(this ILogger log, string question, string commands);

    [LoggerMessage(
        225,
        LogLevel.Information,
        "The user has no right to access the keys of the delayed events in Redis: this instance can neither delay events nor publish "
            + "delayed events that are due. Other instances that have this right publish them")]
    public static partial void DelaysDenied(this ILogger log);

    [LoggerMessage(
        210,
        LogLevel.Warning,
        "Redis cannot be reached. The bus starts without it and tries to connect again. Until it is connected, it receives and stores "
            + "nothing, and publishing fails")]
    public static partial void StartedDegraded(this ILogger log);

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
        "Redis has lost events of the stream {Stream}: this instance has read up to {LastRead}, but the stream ends at {End}. Possible "
            + "causes are FLUSHALL, a deleted key, or a restart without an append-only file")]
    public static partial void DataLost(this ILogger log, string stream, string lastRead, string end);

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

    [LoggerMessage(
        223,
        LogLevel.Error,
        "The bus cannot use its key {Key}, and treats it as empty: {Refusal}. Delete or rename a key of another type, or grant the user "
            + "the right to this key")]
    public static partial void KeyUnusable(this ILogger log, string key, string refusal);

    [LoggerMessage(
        217,
        LogLevel.Error,
        "The bus cannot trim the stream {Stream} and cannot check its consumer groups. It tries again every {Period}")]
    public static partial void CannotTrim(this ILogger log, string stream, TimeSpan period, Exception exception);

    [LoggerMessage(
        236,
        LogLevel.Error,
        "The bus cannot trim the streams and cannot check their consumer groups. It tries again every {Period}")]
    public static partial void CannotTrimAny(this ILogger log, TimeSpan period, Exception exception);

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

    [LoggerMessage(219, LogLevel.Error, "Redis was reached, but the bus cannot work with it: {Reason}")]
    public static partial void ServerRejected(this ILogger log, string reason);

    [LoggerMessage(
        214,
        LogLevel.Warning,
        "The consumer group {Group} of the stream {Stream} has not read its events for more than {IdleGroupAfter}, so the stream cannot "
            + "be trimmed. Start an instance that uses the group, or remove the group: {Removal}")]
    public static partial void GroupIdle(this ILogger log, string group, string stream, TimeSpan idleGroupAfter, string removal);

    [LoggerMessage(
        215,
        LogLevel.Error,
        "The stream {Stream} exceeded its maximum length (RedisOptions.MaxLength): {Count} events were deleted that the consumer group "
            + "{Group} had not read")]
    public static partial void LostToMaxLength(this ILogger log, string group, long count, string stream);

    [LoggerMessage(
        226,
        LogLevel.Warning,
        "No consumer group reads the stream {Stream}: only its latest {Limit} events are kept (RedisOptions.MaxUnreadLength). Subscribe "
            + "to these events, or stop publishing them. Logged once")]
    public static partial void StreamUnread(this ILogger log, string stream, long limit);

    [LoggerMessage(
        227,
        LogLevel.Warning,
        "No subscription of this application uses the consumer group {Group} of the stream {Stream}, in which new events wait. If the "
            + "group is no longer needed, call {Removal}. Logged once")]
    public static partial void GroupLeftBehind(this ILogger log, string group, string stream, string removal);

    [LoggerMessage(
        228,
        LogLevel.Warning,
        "The sentinels name no primary of the service {Service}, so the bus cannot connect. It asks them again")]
    public static partial void NoPrimary(this ILogger log, string service, Exception exception);

    [LoggerMessage(
        230,
        LogLevel.Warning,
        "{Count} events of the subscription {Subscription} were dropped, because its queue of unhandled events is full. Make its "
            + "handlers faster, raise its concurrency, or use a backend that stores events")]
    public static partial void Dropped(this ILogger log, long count, string subscription);

    [LoggerMessage(
        231,
        LogLevel.Warning,
        "The connection over which Redis sends events is lost ({Failure}). Events that are published until it is restored do not reach "
            + "this instance")]
    public static partial void ListeningLost(this ILogger log, string failure);

    [LoggerMessage(
        232,
        LogLevel.Warning,
        "The connection over which Redis sends events is restored. Events that were published in the meantime did not reach this "
            + "instance; their number is unknown")]
    public static partial void ListeningAgain(this ILogger log);

    [LoggerMessage(
        233,
        LogLevel.Error,
        "{Count} events of the subscription {Subscription} are lost: they were received, but not handled before the subscription closed")]
    public static partial void LostAtClose(this ILogger log, long count, string subscription);

    [LoggerMessage(235, LogLevel.Error, "The subscription {Subscription} failed to process a message from Redis, and drops it ({Error})")]
    public static partial void NotTaken(this ILogger log, string subscription, string error);

    [LoggerMessage(
        234,
        LogLevel.Warning,
        "The subscription {Subscription} received an event {EventName} without an id. The bus computes an id from the content, so two "
            + "equal events count as one. Let the publisher send a CloudEvents envelope with an id. Logged once")]
    public static partial void IdMadeFromContent(this ILogger log, string subscription, string eventName);
}
