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
        "RabbitMQ at {Address} is out of reach: {Cause}. The bus starts without it and tries to connect again. Until it is connected, it "
            + "receives nothing, and publishing fails")]
    public static partial void StartedDegraded(this ILogger log, string address, string cause);

    [LoggerMessage(
        2,
        LogLevel.Warning,
        "RabbitMQ at {Address}: the {Link} connection is lost or could not be opened; the next attempt is in {Delay}: {Error}")]
    public static partial void Disconnected(
        this ILogger log, string address, string link, TimeSpan delay, string error, Exception exception);

    [LoggerMessage(
        3,
        LogLevel.Warning,
        "RabbitMQ: the broker blocks the {Link} connection, because the broker is short of memory or disk ({Reason}). Until it unblocks "
            + "the connection, publish calls wait, and fail at their deadline")]
    public static partial void Blocked(this ILogger log, string link, string reason);

    [LoggerMessage(4, LogLevel.Warning, "RabbitMQ: the channel of {Owner} ended; the next attempt is in {Delay}: {Error}")]
    public static partial void ChannelLost(this ILogger log, string owner, TimeSpan delay, string error, Exception exception);

    [LoggerMessage(
        5,
        LogLevel.Warning,
        "RabbitMQ: the subscription {Subscription} received an event {EventName} without an id. The bus computes an id from the content, "
            + "so two equal events count as one. Let the publisher set a message id. Logged once")]
    public static partial void IdComputedFromContent(this ILogger log, string subscription, string eventName);

    [LoggerMessage(
        12,
        LogLevel.Information,
        "RabbitMQ: the exchange {Exchange} could not be declared, because the user has no right to configure it: {Error} The bus assumes "
            + "that the exchange exists; if it does not, publishing fails. Logged once")]
    public static partial void ExchangeNotDeclared(this ILogger log, string exchange, string error);

    [LoggerMessage(11, LogLevel.Warning, "RabbitMQ: {Problem}")]
    public static partial void BrokerDeadLettersUnreadable(this ILogger log, string problem);

    [LoggerMessage(
        7,
        LogLevel.Error,
        "RabbitMQ: a message that the client cannot read has closed the connection over which the queue {Queue} is consumed, and will do "
            + "so again: {Error} The message is in this queue, or in another queue that is consumed over the connection. The next attempt "
            + "is in {Delay}. Remove the message with the tools of the broker; or register an IConnectionFactory instead of an "
            + "IConnection, because the bus can read such messages on connections that it opens itself")]
    public static partial void UnreadableMessage(this ILogger log, string queue, TimeSpan delay, string error, Exception exception);

    [LoggerMessage(
        8,
        LogLevel.Information,
        "RabbitMQ does not report the number of consumers of the queue {Queue}: {Error} So the bus cannot detect instances that use "
            + "another store than this instance. Logged once")]
    public static partial void CannotCountConsumers(this ILogger log, string queue, string error);
}
