namespace EventBus.Proof;

/// <summary>The settings of the command line.</summary>
/// <param name="Transport">
/// The name of the transport: redis, redis-pubsub, rabbitmq, rabbitmq-classic, kafka, kafka-range or kafka-consumer; or
/// a cluster if the proof has its own.
/// </param>
/// <param name="Store">
/// The name of the store: sqlite, redis or memory; or native if the broker itself stores failures.
/// </param>
/// <param name="Quick">True for the quick run.</param>
/// <param name="Seed">The seed of all random numbers.</param>
internal sealed record RunSettings(string Transport, string Store, bool Quick, int Seed)
{
    public bool OverRabbitMq => Transport.StartsWith("rabbitmq", StringComparison.Ordinal);

    public bool OverKafka => Transport.StartsWith("kafka", StringComparison.Ordinal);

    /// <summary>The maximum duration of one stage of a proof.</summary>
    public TimeSpan Deadline => Quick ? TimeSpan.FromMinutes(6) : TimeSpan.FromHours(3);

    /// <summary>Returns the first figure in a full run, and the second one in a quick run.</summary>
    public int Size(int full, int quick) => Quick ? quick : full;
}
