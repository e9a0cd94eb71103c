using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace EventBus.Proof;

/// <summary>The settings of a victim process, passed on its command line.</summary>
internal sealed record VictimSettings
{
    public const string Command = "victim";

    /// <summary>The proof whose subscriptions the victim uses.</summary>
    public required string Proof { get; init; }

    /// <summary>
    /// The name of the store: sqlite, redis or memory; or native if the broker itself stores failures.
    /// </summary>
    public required string Store { get; init; }

    /// <summary>True for classic queues instead of quorum queues on RabbitMQ.</summary>
    public bool ClassicQueues { get; init; }

    /// <summary>True for channels instead of streams on Redis.</summary>
    public bool Channels { get; init; }

    /// <summary>
    /// The delay of a retry on RabbitMQ without a store, in milliseconds; 0 for the default of the library.
    /// </summary>
    public int RetryMilliseconds { get; init; }

    /// <summary>The minimum level of the log.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Warning;

    /// <summary>The name of the application, shared by all processes of a proof.</summary>
    public required string Service { get; init; }

    /// <summary>The folder of journals, logs and the file of the store.</summary>
    public required string Folder { get; init; }

    /// <summary>The address of the private Redis server.</summary>
    public required string Redis { get; init; }

    /// <summary>The address of RabbitMQ if the proof uses it.</summary>
    public string? RabbitMq { get; init; }

    /// <summary>The address of Kafka if the proof uses it.</summary>
    public string? Kafka { get; init; }

    /// <summary>
    /// The way in which the members of a group on Kafka share its partitions: cooperative, range or consumer, the newer
    /// protocol.
    /// </summary>
    public string KafkaGroup { get; init; } = "cooperative";

    public required int Seed { get; init; }

    /// <summary>The deadline of a publish.</summary>
    public int PublishMilliseconds { get; init; } = 10_000;

    /// <summary>The maximum number of concurrent handlers.</summary>
    public int Concurrency { get; init; } = 16;

    /// <summary>
    /// The time without a sign of life after which another process takes over the work of this one, in milliseconds.
    /// </summary>
    public int LeaseMilliseconds { get; init; } = 2_000;

    /// <summary>The number of processes that are killed at each point of a saga.</summary>
    public int SagaKills { get; init; }

    public string Database => Path.Combine(Folder, "store.db");

    public string DatabaseConnection => $"Data Source={Database}";

    public string Write() => JsonSerializer.Serialize(this);

    public static VictimSettings Read(string text) => JsonSerializer.Deserialize<VictimSettings>(text)!;
}
