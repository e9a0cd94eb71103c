using System.Text.Json.Serialization;

namespace EventBus.Load;

/// <summary>The conditions of a measurement. A worker process is started for one arena and one contender.</summary>
/// <param name="Transport">The transport.</param>
/// <param name="Subscriptions">The number of independent subscriptions.</param>
/// <param name="Size">The approximate size of an event as JSON, in bytes.</param>
/// <param name="Keys">The number of keys, handled in order in 16 partitions; 0 for no order.</param>
/// <param name="TopicPartitions">The number of partitions of a topic of Kafka; 0 for 4.</param>
internal sealed record Arena(
    Transport Transport,
    int Subscriptions = 1,
    int Size = Workload.BaseSize,
    int Keys = 0,
    int TopicPartitions = 0)
{
    public const int Partitions = 16;

    private const int UsualTopicPartitions = 4;

    /// <summary>The capacity of a subscription's queue in memory.</summary>
    public int Capacity { get; init; } = 1024;

    /// <summary>The number of partitions with which a topic of Kafka is created.</summary>
    [JsonIgnore]
    public int CreatedPartitions => TopicPartitions == 0 ? UsualTopicPartitions : TopicPartitions;

    /// <summary>The address of the server; empty in memory.</summary>
    [JsonIgnore]
    public string Address { get; init; } = "";

    /// <summary>The name of the broker's entities in this arena, for arenas that share a server.</summary>
    public static string SubscriptionName(int number) => $"load-{number}";
}

/// <summary>The transport.</summary>
internal enum Transport
{
    Memory,
    RabbitMq,
    RabbitMqClassic,
    RedisStreams,
    RedisPubSub,
    Kafka,
}
