using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace EventBus.Proof;

/// <summary>The settings of a victim process, passed on its command line.</summary>
internal sealed record VictimSettings
{
    public const string Command = "victim";

    /// <summary>The proof whose subscriptions it takes.</summary>
    public required string Proof { get; init; }

    /// <summary>The store's name: sqlite, redis or memory; or native, where the broker itself keeps failures.</summary>
    public required string Store { get; init; }

    /// <summary>On RabbitMQ: classic queues instead of quorum queues.</summary>
    public bool ClassicQueues { get; init; }

    /// <summary>On Redis: channels instead of streams.</summary>
    public bool Channels { get; init; }

    /// <summary>On RabbitMQ without a store: the wait before a retry; 0 for the library's own.</summary>
    public int RetryMilliseconds { get; init; }

    /// <summary>The least that is logged.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Warning;

    /// <summary>The application's name, shared by all processes of a proof.</summary>
    public required string Service { get; init; }

    /// <summary>The folder of journals, logs and the file of the store.</summary>
    public required string Folder { get; init; }

    /// <summary>The address of the proof's own Redis.</summary>
    public required string Redis { get; init; }

    /// <summary>The address of RabbitMQ, where the proof runs on it.</summary>
    public string? RabbitMq { get; init; }

    public required int Seed { get; init; }

    /// <summary>The deadline of a publish.</summary>
    public int PublishMilliseconds { get; init; } = 10_000;

    /// <summary>The number of handlers that run at once.</summary>
    public int Concurrency { get; init; } = 16;

    /// <summary>
    /// The milliseconds without a sign of life after which another process takes over the work of this one.
    /// </summary>
    public int LeaseMilliseconds { get; init; } = 2_000;

    /// <summary>The number of processes that are killed at each point of a saga.</summary>
    public int SagaKills { get; init; }

    public string Database => Path.Combine(Folder, "store.db");

    public string DatabaseConnection => $"Data Source={Database}";

    public string Write() => JsonSerializer.Serialize(this);

    public static VictimSettings Read(string text) => JsonSerializer.Deserialize<VictimSettings>(text)!;
}
