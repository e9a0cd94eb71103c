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
/// <param name="Parts">The number of parts into which the full run is divided. This run is one of them.</param>
internal sealed record RunSettings(string Transport, string Store, bool Quick, int Seed, int Parts = 1)
{
    /// <summary>The name of the form, for the output.</summary>
    public string Form => Quick ? "quick" : Parts > 1 ? $"1/{Parts} of the long form" : "long";

    /// <summary>The arguments that select the form.</summary>
    public string Arguments => Quick ? " --quick" : Parts > 1 ? $" --parts {Parts}" : "";

    public bool OverRabbitMq => Transport.StartsWith("rabbitmq", StringComparison.Ordinal);

    public bool OverKafka => Transport.StartsWith("kafka", StringComparison.Ordinal);

    /// <summary>The maximum duration of one stage of a proof.</summary>
    public TimeSpan Deadline => Quick ? TimeSpan.FromMinutes(6) : TimeSpan.FromHours(3);

    /// <summary>
    /// Returns the first figure in a full run, its share in a part of one, and the second figure in a quick run.
    /// </summary>
    public int Size(int full, int quick) => Quick ? quick : (full + Parts - 1) / Parts;
}
