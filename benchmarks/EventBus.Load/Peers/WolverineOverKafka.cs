using Confluent.Kafka;
using Wolverine;
using Wolverine.Kafka;

namespace EventBus.Load;

/// <summary>Configures Wolverine over Kafka.</summary>
internal static class WolverineOverKafka
{
    /// <summary>
    /// By default events are sent from a buffer in memory. Tuned for the durability of the bus: a publish is awaited
    /// until the broker has the event (page "Kafka", inline endpoints), and an event is acknowledged after its handler.
    /// </summary>
    /// <param name="options">The options of Wolverine.</param>
    /// <param name="arena">The arena, with one subscription.</param>
    /// <param name="name">The name of the contender.</param>
    /// <param name="tuned">True for the durability of the bus.</param>
    public static void Configure(WolverineOptions options, Arena arena, string name, bool tuned)
    {
        var topic = $"{name}-order";
        options.UseKafka(arena.Address)
            .AutoProvision()
            .ConfigureConsumers(consumer => (consumer.GroupId, consumer.AutoOffsetReset) = (name, AutoOffsetReset.Earliest))
            .ConfigureProducers(producer =>
            {
                if (tuned)
                {
                    (producer.EnableIdempotence, producer.Acks, producer.LingerMs) = (true, Acks.All, 0);
                }
            });
        var publishing = options.PublishMessage<OrderPlaced>()
            .ToKafkaTopic(topic)
            .Specification(specification => specification.NumPartitions = arena.CreatedPartitions);
        var listener = options.ListenToKafkaTopic(topic);
        if (tuned)
        {
            publishing.SendInline().TelemetryEnabled(false);
            listener.ProcessInline().TelemetryEnabled(false);
        }
    }
}
