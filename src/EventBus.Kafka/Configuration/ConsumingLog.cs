using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Defines the log messages of the receivers.</summary>
internal static partial class ConsumingLog
{
    [LoggerMessage(20, LogLevel.Warning, "Kafka: the consumer of {Subscription} cannot go on and is replaced in {Delay}: {Cause}")]
    public static partial void ConsumerReplaced(this ILogger log, string subscription, string cause, TimeSpan delay, Exception exception);

    [LoggerMessage(21, LogLevel.Debug, "Kafka: {Subscription} was assigned {Count} more partitions and now has {Total}")]
    public static partial void PartitionsAssigned(this ILogger log, string subscription, int count, int total);

    [LoggerMessage(
        22,
        LogLevel.Warning,
        "Kafka: {Count} events of {Subscription} were given to another instance while they were being handled here. They are handled again "
            + "there")]
    public static partial void DeliveriesLost(this ILogger log, int count, string subscription);

    [LoggerMessage(23, LogLevel.Error, "Kafka: a change of the partitions of {Subscription} was not handled completely")]
    public static partial void RebalanceFailed(this ILogger log, string subscription, Exception exception);

    [LoggerMessage(24, LogLevel.Warning, "Kafka: reading for {Subscription} fails: {Cause} The client tries again")]
    public static partial void ReadingFailed(this ILogger log, string subscription, string cause, Exception exception);

    [LoggerMessage(
        25,
        LogLevel.Error,
        "Kafka: events are lost to {Subscription} (group {Group}): {What}. Reading continues at {Offset}. Keep the events of the topic "
            + "longer (retention.ms) than an instance may be stopped")]
    public static partial void RecordsGone(this ILogger log, string subscription, string group, string what, long offset);

    [LoggerMessage(
        26, LogLevel.Warning, "Kafka: {Subscription} has no position in {Topic} [{Partition}] and cannot find one yet: {Cause}")]
    public static partial void NoPosition(this ILogger log, string subscription, string topic, int partition, string cause);

    [LoggerMessage(
        27,
        LogLevel.Warning,
        "Kafka: the log of {Topic} [{Partition}] was cut back by a change of its leader. {Subscription} continues at {Offset}")]
    public static partial void LogCutBack(this ILogger log, string subscription, string topic, int partition, long offset);

    [LoggerMessage(
        28,
        LogLevel.Warning,
        "Kafka: {Subscription} has {Limit} events of {Topic} [{Partition}] behind one that is not handled. The partition is not read until "
            + "that event is handled. See KafkaOptions.MaxUncommitted and the timeout of the handler")]
    public static partial void PartitionHeldUp(this ILogger log, string subscription, string topic, int partition, int limit);

    [LoggerMessage(
        29,
        LogLevel.Warning,
        "Kafka: {Subscription} has read nothing of {Topic} [{Partition}] for {Seconds} s although it has events up to {End}. The "
            + "position is set again")]
    public static partial void PartitionStalled(
        this ILogger log, string subscription, string topic, int partition, double seconds, long end);

    [LoggerMessage(
        30,
        LogLevel.Warning,
        "Kafka: the topic {Topic} has records without an event name, which {Subscription} skips. If it holds events, name them with "
            + "KafkaOptions.FromTopic(...)")]
    public static partial void NamelessRecord(this ILogger log, string subscription, string topic);

    [LoggerMessage(31, LogLevel.Information, "Kafka: {Option} has no effect on {Subscription}: its group {Group} has positions")]
    public static partial void StartIgnored(this ILogger log, string option, string subscription, string group);

    [LoggerMessage(32, LogLevel.Warning, "Kafka: {Subscription} looks for topics again in {Delay}: {Cause}")]
    public static partial void TopicsNotFound(this ILogger log, string subscription, TimeSpan delay, string cause, Exception exception);

    [LoggerMessage(33, LogLevel.Debug, "Kafka: {Subscription} gives up {Partitions} after {Waited}, with {Unsettled} unsettled events")]
    public static partial void PartitionsRevoked(this ILogger log, string subscription, string partitions, TimeSpan waited, int unsettled);

    [LoggerMessage(
        34,
        LogLevel.Warning,
        "Kafka: the instances of {Subscription} that had {Partitions} before ended without giving them up, so often in a row. The first "
            + "events there are handled one at a time and counted: one of them may have ended the process")]
    public static partial void UncleanEnd(this ILogger log, string subscription, string partitions);

    [LoggerMessage(
        35,
        LogLevel.Warning,
        "Kafka: {Subscription} handles {Count} more partitions, and could not note it in the cluster: {Cause} If an event ends this "
            + "process, that attempt is not counted")]
    public static partial void PeriodsNotNoted(this ILogger log, string subscription, int count, string cause);

    [LoggerMessage(
        36, LogLevel.Debug, "Kafka: {Subscription} could not note that it has given partitions up: {Cause}. Their first events count as "
            + "delivered before")]
    public static partial void PeriodsNotEnded(this ILogger log, string subscription, string cause);

    [LoggerMessage(37, LogLevel.Information, "Kafka: the replay {Number} of {Subscription} begins, from {Start}")]
    public static partial void ReplayBegun(this ILogger log, string subscription, long number, ReplayStart start);

    [LoggerMessage(
        38,
        LogLevel.Error,
        "Kafka: it is not known whether a replay of {Subscription} is under way: {Cause} Its events are handled as if there were none. If "
            + "there is one, start it again")]
    public static partial void ReplaysUnknown(this ILogger log, string subscription, string cause);

    [LoggerMessage(
        39,
        LogLevel.Warning,
        "Kafka: {Subscription} was to begin at {Offset} in {Topic} [{Partition}] (FromOffset), which ends at {End}. It begins at the end")]
    public static partial void OffsetBehindTheEnd(
        this ILogger log, string subscription, string topic, int partition, long offset, long end);
}
