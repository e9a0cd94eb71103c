using RabbitMQ.Client;

namespace EventBus;

/// <summary>Reads the number of earlier deliveries of a message, as far as the queue knows it.</summary>
/// <remarks>
/// From RabbitMQ 4.3 on, the count excludes released deliveries; the result for a redelivery is at least 1. RabbitMQ
/// 4.3 also writes a count of all deliveries, which is not used: on earlier versions its value comes from the
/// publisher.
/// </remarks>
internal static class RabbitMqDeliveryCount
{
    /// <summary>Gets the number of earlier deliveries of a message.</summary>
    /// <param name="properties">The properties of the message.</param>
    /// <param name="redelivered">
    /// The broker's redelivered flag. If it is false, the count comes from the publisher: a broker writes the count
    /// from the second delivery on.
    /// </param>
    /// <param name="countsDeliveries">
    /// True if the queue counts deliveries (a quorum queue). Other queues do not change what the publisher wrote.
    /// </param>
    public static int EarlierDeliveries(IReadOnlyBasicProperties properties, bool redelivered, bool countsDeliveries)
    {
        if (!redelivered)
        {
            return 0;
        }

        if (!countsDeliveries || properties.Headers?.TryGetValue("x-delivery-count", out var value) != true)
        {
            return 1;
        }

        var count = value switch
        {
            long number => number,
            int number => number,
            _ => 1,
        };
        return (int)Math.Clamp(count, 1, int.MaxValue);
    }
}
