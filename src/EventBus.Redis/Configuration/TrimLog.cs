using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Defines the log messages about the trimming of the streams, and about the groups that prevent it.</summary>
internal static partial class TrimLog
{
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
}
