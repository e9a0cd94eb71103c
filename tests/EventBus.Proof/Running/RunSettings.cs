namespace EventBus.Proof;

/// <summary>The settings of the command line.</summary>
/// <param name="Transport">
/// The transport's name: redis, redis-pubsub, rabbitmq or rabbitmq-classic; or a cluster, where the proof has its own.
/// </param>
/// <param name="Store">
/// The store's name: sqlite, redis or memory; or native, where the broker itself keeps failures.
/// </param>
/// <param name="Quick">The short form.</param>
/// <param name="Seed">Where all chance comes from.</param>
internal sealed record RunSettings(string Transport, string Store, bool Quick, int Seed)
{
    public bool OverRabbitMq => Transport.StartsWith("rabbitmq", StringComparison.Ordinal);

    /// <summary>The maximum duration of one stage of a proof.</summary>
    public TimeSpan Deadline => Quick ? TimeSpan.FromMinutes(6) : TimeSpan.FromHours(3);

    /// <summary>One figure in the long form, another in the short one.</summary>
    public int Size(int full, int quick) => Quick ? quick : full;
}
