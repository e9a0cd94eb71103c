using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Defines all log messages of this backend. They contain names and ids only: never a body, a header or a connection
/// string.
/// </summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "RabbitMQ: the {Link} connection is open (epoch {Epoch})")]
    public static partial void Connected(this ILogger log, string link, long epoch);

    [LoggerMessage(
        6,
        LogLevel.Warning,
        "RabbitMQ at {Place} is out of reach. The bus starts without it and keeps trying; until then nothing is received, and publishing "
            + "fails")]
    public static partial void StartedDegraded(this ILogger log, string place);

    [LoggerMessage(
        2,
        LogLevel.Warning,
        "RabbitMQ: the {Link} connection is lost or could not be opened; the next attempt is in {Delay}: {Error}")]
    public static partial void Disconnected(this ILogger log, string link, TimeSpan delay, string error, Exception exception);

    [LoggerMessage(
        3,
        LogLevel.Warning,
        "RabbitMQ: the broker blocks the {Link} connection, because it is short of memory or disk: {Reason}")]
    public static partial void Blocked(this ILogger log, string link, string reason);

    [LoggerMessage(4, LogLevel.Warning, "RabbitMQ: the channel of {Owner} ended; the next attempt is in {Delay}: {Error}")]
    public static partial void ChannelLost(this ILogger log, string owner, TimeSpan delay, string error, Exception exception);

    [LoggerMessage(
        5,
        LogLevel.Warning,
        "RabbitMQ: {Subscription} received an event {EventName} without an id; the id was made from its content, so two equal events count "
            + "as one. Logged once; let the publisher set a message id")]
    public static partial void IdMadeFromContent(this ILogger log, string subscription, string eventName);

    [LoggerMessage(
        12,
        LogLevel.Information,
        "RabbitMQ: the exchange {Exchange} could not be declared, because this user may not configure it; it is assumed to exist. Logged "
            + "once: {Error}")]
    public static partial void ExchangeUnchecked(this ILogger log, string exchange, string error);

    [LoggerMessage(11, LogLevel.Warning, "RabbitMQ: {Problem}")]
    public static partial void BrokerDeadLettersUnreadable(this ILogger log, string problem);

    [LoggerMessage(
        7,
        LogLevel.Error,
        "RabbitMQ: a message that the client cannot read has closed the connection over which the queue {Queue} is consumed, and is "
            + "redelivered. It is in this queue, or in another that shares the connection; the next attempt is in {Delay}. Remove it "
            + "with the tools of the broker, or let the bus make its own connections: {Error}")]
    public static partial void UnreadableMessage(this ILogger log, string queue, TimeSpan delay, string error, Exception exception);

    [LoggerMessage(
        8,
        LogLevel.Information,
        "RabbitMQ does not report how many consumers the queue {Queue} has, so instances that do not share the store of this one are not "
            + "detected. Logged once: {Error}")]
    public static partial void CannotCountConsumers(this ILogger log, string queue, string error);
}
