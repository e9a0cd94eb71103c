using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Defines the log messages of this backend. They contain names and ids only: never a value, a header or a setting of
/// the client. The ids from 20 on are those of the receivers.
/// </summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Kafka: {Topic} was created with {Partitions} partitions")]
    public static partial void TopicCreated(this ILogger log, string topic, int partitions);

    [LoggerMessage(
        2,
        LogLevel.Warning,
        "Kafka at {Address} is out of reach: {Cause}. The bus starts without it and tries to connect again. Until it is connected, it "
            + "receives nothing, and publishing fails")]
    public static partial void StartedDegraded(this ILogger log, string address, string cause);

    [LoggerMessage(3, LogLevel.Warning, "Kafka at {Address} is out of reach: {Cause} Publish calls wait until it answers again")]
    public static partial void Unreachable(this ILogger log, string address, string cause);

    [LoggerMessage(4, LogLevel.Information, "Kafka at {Address} answers again")]
    public static partial void Reachable(this ILogger log, string address);

    [LoggerMessage(
        5,
        LogLevel.Error,
        "Kafka: the producer cannot go on, and is replaced: {Cause} The next attempt is in {Delay}")]
    public static partial void ProducerReplaced(this ILogger log, string cause, TimeSpan delay, Exception exception);

    [LoggerMessage(6, LogLevel.Warning, "Kafka: the {Client} was not closed within {Timeout}, and is abandoned")]
    public static partial void NotDisposed(this ILogger log, string client, TimeSpan timeout);

    [LoggerMessage(7, LogLevel.Warning, "Kafka: the {Client} client reports {Facility}: {Text}")]
    public static partial void ClientFailing(this ILogger log, string client, string facility, string text);

    [LoggerMessage(8, LogLevel.Debug, "Kafka: the {Client} client says {Facility}: {Text}")]
    public static partial void ClientDetail(this ILogger log, string client, string facility, string text);

    [LoggerMessage(9, LogLevel.Warning, "Kafka: the topics are checked again in {Delay}: {Error}")]
    public static partial void TopicsNotChecked(this ILogger log, TimeSpan delay, string error, Exception exception);

    [LoggerMessage(10, LogLevel.Warning, "Kafka: {Problem}")]
    public static partial void TopicProblem(this ILogger log, string problem);

    [LoggerMessage(11, LogLevel.Warning, "Kafka: events that wait are sent again in {Delay}: {Error}")]
    public static partial void SendingFailed(this ILogger log, TimeSpan delay, string error, Exception exception);

    [LoggerMessage(12, LogLevel.Error, "Kafka: the report about a record could not be processed; its event is in doubt")]
    public static partial void ReportFailed(this ILogger log, Exception exception);
}
