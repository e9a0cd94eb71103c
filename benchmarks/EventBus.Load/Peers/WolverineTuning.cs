using Wolverine.Configuration;
using Wolverine.RabbitMQ;
using Wolverine.RabbitMQ.Internal;

namespace EventBus.Load;

/// <summary>
/// Settings from Wolverine's documentation; the best values were measured with handlers that wait for nothing.
/// </summary>
internal static class WolverineTuning
{
    /// <summary>
    /// More concurrency gains nothing while handlers wait for nothing, and costs an allocation for a single message.
    /// </summary>
    private const ushort Concurrency = 8;
    private const ushort Prefetch = 256;

    /// <summary>
    /// Pages "Local Queues" (for the order of events) and "Logging". With more concurrency a handler that waits for
    /// nothing completes later.
    /// </summary>
    public static void Local(IListenerConfiguration queue) => queue.Sequential().TelemetryEnabled(false);

    /// <summary>Page "RabbitMQ, Performance Tuning", section "Publisher confirms are off by default".</summary>
    public static void Confirmed(RabbitMqTransportExpression server) =>
        server.ConfigureChannelCreation(
            channel => (channel.PublisherConfirmationsEnabled, channel.PublisherConfirmationTrackingEnabled) = (true, true));

    /// <summary>A publish is awaited until the message is sent and confirmed, not only until it is buffered.</summary>
    public static void Publisher(RabbitMqSubscriberConfiguration exchange) => exchange.SendInline().TelemetryEnabled(false);

    /// <summary>
    /// Page "RabbitMQ, Performance Tuning": inline, so that a message is acknowledged after handling, with many at
    /// once.
    /// </summary>
    public static void Listener(RabbitMqListenerConfiguration queue) =>
        queue.ProcessInline().ConsumerDispatchConcurrency(Concurrency).PreFetchCount(Prefetch).TelemetryEnabled(false);
}
