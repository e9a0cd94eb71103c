using EventBus.Transports;

namespace EventBus;

/// <summary>Detects a consumer that the broker may have lost without a notification.</summary>
/// <remarks>
/// When a quorum queue is deleted and created again at once, RabbitMQ before version 4.0 moves the consumer to the new
/// queue instead of cancelling it, and then drops what the new queue delivers (rabbit_channel.erl,
/// handle_consuming_queue_down_or_eol). A client cannot see this. So on these versions the channel is also replaced
/// when nothing has arrived for 10 seconds and nothing is unsettled.
/// </remarks>
internal static class LostConsumerWatch
{
    // The time without an event after which the channel is replaced.
    private static readonly TimeSpan MaxIdle = TimeSpan.FromSeconds(10);

    /// <summary>True if the broker can lose a consumer: RabbitMQ before version 4.0, or an unknown version.</summary>
    public static bool IsNeeded(ConnectionSession session, RabbitMqOptions options) =>
        BrokerVersion.Of(session.Client) is not { Major: >= 4 } && options.QueueType == RabbitMqQueueType.Quorum;

    /// <summary>
    /// Completes when no event has arrived for <see cref="MaxIdle"/> and none is unsettled, or when the wait is
    /// cancelled. Does not throw.
    /// </summary>
    public static async Task WhenIdleAsync(UnsettledDeliveries deliveries, TimeProvider time, CancellationToken cancellationToken)
    {
        long before;
        do
        {
            before = deliveries.Received;
            await Task.Delay(MaxIdle, time, cancellationToken).Quietly();
        }
        while (!cancellationToken.IsCancellationRequested && (deliveries.Received != before || !deliveries.IsEmpty));
    }
}
