using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Defines the log messages of the transport over Redis Pub/Sub.</summary>
internal static partial class PubSubLog
{
    [LoggerMessage(
        230,
        LogLevel.Warning,
        "{Count} events of the subscription {Subscription} were dropped, because its queue of unhandled events is full. Make its "
            + "handlers faster, raise its concurrency, or use a backend that stores events")]
    public static partial void Dropped(this ILogger log, long count, string subscription);

    [LoggerMessage(
        231,
        LogLevel.Warning,
        "The connection over which Redis at {Address} sends events is lost: {Cause}. Events that are published until it is restored do "
            + "not reach this instance")]
    public static partial void ListeningLost(this ILogger log, string address, string cause);

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
        237,
        LogLevel.Error,
        "The subscription {Subscription} stopped receiving from the channel {Channel} ({Error}), and starts again in {Delay}")]
    public static partial void ReceivingFailed(this ILogger log, string subscription, string channel, TimeSpan delay, string error);

    [LoggerMessage(
        234,
        LogLevel.Warning,
        "The subscription {Subscription} received an event {EventName} without an id. The bus computes an id from the content, so two "
            + "equal events count as one. Let the publisher send a CloudEvents envelope with an id. Logged once")]
    public static partial void IdMadeFromContent(this ILogger log, string subscription, string eventName);
}
