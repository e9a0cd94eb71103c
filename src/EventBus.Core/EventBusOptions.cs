namespace EventBus;

/// <summary>The settings of a bus: set in code through <c>bus.Configure(...)</c>, or bound from configuration. Checked when the bus starts.</summary>
public sealed class EventBusOptions
{
    /// <summary>The application's name, the first part of queue and group names. Letters, digits, hyphens, underscores and dots. Default: the host's application name.</summary>
    public string? ServiceName { get; set; }

    /// <summary>How long a publish waits for the backend before it ends as failed or in doubt. Default 10 s; 10 ms to 1 h.</summary>
    public TimeSpan PublishTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long stopping waits for work in flight (in memory: for all that is queued), before handlers are cancelled. Shorter than the host's own shutdown time-out, which is 30 s by default. Default 20 s; 0 to 1 h.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>How long one start of a handler may take before it counts as failed. Default 10 min; 10 ms to 1 day.</summary>
    public TimeSpan HandlerTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How many events one subscription handles at once. For an ordered subscription the number of lanes. Default 16; 1 to 1,000.</summary>
    public int Concurrency { get; set; } = 16;

    /// <summary>Whether this instance handles events. False makes it publish only. Default true.</summary>
    public bool Consume { get; set; } = true;

    /// <summary>The size of an event as JSON, in bytes, above which a warning is logged, once for each type. Default 65,536.</summary>
    public int WarnBodyBytes { get; set; } = 64 * 1024;

    /// <summary>The size of an event as JSON, in bytes, above which publishing is refused and an arriving event goes to the dead letters unread. Default 262,144; at most 64 MiB.</summary>
    public int MaxBodyBytes { get; set; } = 256 * 1024;

    /// <summary>How deep the JSON of an event may be nested. Default 32; 1 to 1,000.</summary>
    public int MaxDepth { get; set; } = 32;

    /// <summary>How many events may wait behind a failed event of their key; later ones go to the dead letters in order. Default 1,000; 1 to 1,000,000.</summary>
    public int MaxParkedPerKey { get; set; } = 1_000;

    /// <summary>When a failed event is started again. Default: 3 retries after 5 s, 30 s and 2 min.</summary>
    public RetryOptions Retry { get; set; } = new();

    /// <summary>Settings of single subscriptions, by name. They win over what the code says. Default none.</summary>
    public IDictionary<string, SubscriptionOptions> Subscriptions { get; } = new Dictionary<string, SubscriptionOptions>(StringComparer.Ordinal);
}
