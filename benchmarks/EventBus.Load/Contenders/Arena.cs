using System.Text.Json.Serialization;

namespace EventBus.Load;

/// <summary>Where a contender is measured. A worker process is started for one arena and one contender.</summary>
/// <param name="Transport">Over what the events go.</param>
/// <param name="Subscriptions">How many independent subscriptions get each event.</param>
/// <param name="Size">About how many bytes the JSON of an event has.</param>
/// <param name="Keys">How many keys the events have, handled in the order of each key in 16 lanes; 0 for no order.</param>
internal sealed record Arena(Transport Transport, int Subscriptions = 1, int Size = Workload.BaseSize, int Keys = 0)
{
    public const int Lanes = 16;

    /// <summary>How many events may wait in memory for a subscription.</summary>
    public int Capacity { get; init; } = 1024;

    /// <summary>Where the server is; empty in memory.</summary>
    [JsonIgnore]
    public string Address { get; init; } = "";

    /// <summary>The name of the broker's things in this arena, for those that share a server.</summary>
    public static string SubscriptionName(int number) => $"load-{number}";
}

/// <summary>Over what the events go.</summary>
internal enum Transport
{
    Memory,
    RabbitMq,
    RabbitMqClassic,
    RedisStreams,
    RedisPubSub,
}
