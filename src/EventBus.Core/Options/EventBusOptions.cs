namespace EventBus;

/// <summary>The settings of a bus: set in code through <c>bus.Configure(...)</c>, or bound from configuration. Checked when the bus starts.</summary>
public sealed class EventBusOptions
{
    /// <summary>The application's name, the first part of queue and group names. Letters, digits, hyphens, underscores and dots. Default: the host's application name; other characters in it become hyphens, and a hash of the name is appended then.</summary>
    public string? ServiceName { get; set; }

    /// <summary>How long a publish waits for the backend or the store before it ends as failed or in doubt, and a call of <see cref="ISagas"/> or <see cref="IDeadLetters"/> for the store. Default 10 s; 10 ms to 1 h.</summary>
    public TimeSpan PublishTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long stopping waits for work in flight (in memory: for all that is queued), before handlers are cancelled. Shorter than the host's own shutdown time-out, which is 30 s by default. Default 20 s; 0 to 1 h.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>How long one start of a handler may take before it counts as failed. Default 10 min; 10 ms to 1 day.</summary>
    public TimeSpan HandlerTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How many events one subscription handles at once. For an ordered subscription the number of lanes. Default 16; 1 to 1,000.</summary>
    public int Concurrency { get; set; } = 16;

    /// <summary>What to do when the broker, or the server of the stores, is out of reach at the start: go on and keep trying, or refuse. Mistakes in the registration, in credentials or in what exists on the server always refuse. Default <see cref="StartupMode.Degraded"/>.</summary>
    public StartupMode Startup { get; set; } = StartupMode.Degraded;

    /// <summary>Whether this instance handles events. False makes it publish only. Default true.</summary>
    public bool Consume { get; set; } = true;

    /// <summary>The size of an event as JSON, in bytes, above which a warning is logged, once for each type. Default 65,536. In memory, where events are not written, it may be a thirtieth more.</summary>
    public int WarnBodyBytes { get; set; } = 64 * 1024;

    /// <summary>The size of an event as JSON, in bytes, above which publishing is refused and an arriving event goes to the dead letters unread. Default 262,144; at most 64 MiB.</summary>
    public int MaxBodyBytes { get; set; } = 256 * 1024;

    /// <summary>The size of the body of an event that cannot be read, in bytes, up to which its dead letter keeps it whole; beyond, it keeps the first 65,536 bytes and says so (<see cref="DeadLetter.FullBodyLength"/>). Default 16 MiB; 65,536 bytes to 512 MiB.</summary>
    public int MaxUnreadBodyBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>The size in bytes of all such bodies above 65,536 bytes that the dead letters of one subscription keep whole; of what comes beyond, they keep the first 65,536 bytes. RabbitMQ without a store cannot count them and keeps to <see cref="MaxUnreadBodyBytes"/> alone. Default 256 MiB; 0 to 1 TiB.</summary>
    public long MaxUnreadBytes { get; set; } = 256L * 1024 * 1024;

    /// <summary>How deep the JSON of an event may be nested. Default 32; 1 to 1,000.</summary>
    public int MaxDepth { get; set; } = 32;

    /// <summary>How many events may wait behind a failed event of their key; later ones go to the dead letters in order. Default 1,000; 1 to 1,000,000.</summary>
    public int MaxParkedPerKey { get; set; } = 1_000;

    /// <summary>How long this instance holds a failed event, or the key of an idempotent one, without renewing: when the process dies, another instance goes on after that time. Renewed while a handler runs. A store in memory, which ends with the process, needs none for keys. Default 30 s; 1 s to 1 h.</summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How often people are alerted of dead letters of the same subscription and event name at most: those that follow the first are told of together. Event names that the application does not declare count as one. Default 1 min; 0 to 1 h.</summary>
    public TimeSpan AlertInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long dead letters are kept; null until people retry or discard them. Default null; 1 min to 10 years.</summary>
    public TimeSpan? DeadLetterRetention { get; set; }

    /// <summary>When a failed event is started again. Default: 3 retries after 5 s, 30 s and 2 min.</summary>
    public RetryOptions Retry { get; set; } = new();

    /// <summary>How many starts of a subscription in a row must fail within <see cref="CircuitBreakerWindow"/> to pause it; 0 for never. More than the starts of one event (4 by default), so that one bad event alone pauses nothing. Default 0; 0 to 1,000.</summary>
    public int CircuitBreakerFailures { get; set; }

    /// <summary>The time in which <see cref="CircuitBreakerFailures"/> starts must fail to pause a subscription. The first probe follows after as long, at most 30 s. Default 1 min; 1 s to 1 day.</summary>
    public TimeSpan CircuitBreakerWindow { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>What holds for all sagas. Default as <see cref="SagaOptions"/> says.</summary>
    public SagaOptions Sagas { get; set; } = new();

    /// <summary>Settings of single subscriptions, by name. They win over what the code says. Default none.</summary>
    public IDictionary<string, SubscriptionOptions> Subscriptions { get; } = new Dictionary<string, SubscriptionOptions>(StringComparer.Ordinal);
}
