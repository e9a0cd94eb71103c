using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>
/// The options of a bus. Set them in code with <c>bus.Configure(...)</c>, or bind them from configuration. Checked when
/// the bus starts.
/// </summary>
public sealed class EventBusOptions
{
    /// <summary>
    /// The application's name, the first part of queue and group names. Letters, digits, hyphens, underscores and dots.
    /// Default: the host's application name; other characters in it are replaced by hyphens, and a hash of the name is
    /// then appended.
    /// </summary>
    [AllowedText("[A-Za-z0-9._-]{1,100}", "1 to 100 letters, digits, hyphens, underscores and dots", AllowsNull = true)]
    public string? ServiceName { get; set; }

    /// <summary>
    /// The time that a publish waits for the backend or the store before it ends as failed or in doubt, and that a call
    /// of <see cref="ISagas"/> or <see cref="IDeadLetters"/> waits for the store. Default 10 s; 10 ms to 1 h.
    /// </summary>
    [AllowedRange("00:00:00.01", "01:00:00")]
    public TimeSpan PublishTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The time that a stop waits for work in progress (in memory: for all queued events) before it cancels handlers.
    /// Must be shorter than the host's shutdown timeout, which is 30 s by default. Default 20 s; 0 to 1 h.
    /// </summary>
    [AllowedRange("00:00:00", "01:00:00")]
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>The time after which an attempt counts as failed. Default 10 min; 10 ms to 1 day.</summary>
    [AllowedRange("00:00:00.01", "1.00:00:00")]
    public TimeSpan HandlerTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// The number of events that one subscription handles concurrently. For an ordered subscription, the number of
    /// partitions of its keys. Default 16; 1 to 1,000.
    /// </summary>
    [AllowedRange(1, 1_000)]
    public int Concurrency { get; set; } = 16;

    /// <summary>
    /// True if the start fails when the broker, or the server of the stores, is unreachable. If false, the host starts
    /// and the bus keeps trying to connect: until it succeeds, its health check is unhealthy and publishes fail at
    /// their deadline. Mistakes in the registration, in credentials or in what exists on the server always fail the
    /// start. Default false.
    /// </summary>
    public bool FailFast { get; set; }

    /// <summary>True if this instance handles events; false if it only publishes. Default true.</summary>
    public bool Consume { get; set; } = true;

    /// <summary>
    /// The size of an event as JSON, in bytes, above which a warning is logged, once per event type. In memory, where
    /// the size is estimated, an event that exceeds the limit by less than 4 % may cause no warning. Default 65,536.
    /// </summary>
    [AllowedRange(1, int.MaxValue)]
    public int WarnBodyBytes { get; set; } = 64 * 1024;

    /// <summary>
    /// The size of an event as JSON, in bytes, above which a publish is rejected, and a received event becomes a dead
    /// letter without being deserialized. Default 262,144; at most 64 MiB.
    /// </summary>
    [AllowedRange(1, 64 * 1024 * 1024)]
    public int MaxBodyBytes { get; set; } = 256 * 1024;

    /// <summary>
    /// The size in bytes up to which the dead letter of an unreadable event stores the whole body. Of a larger body it
    /// stores the first 65,536 bytes (see <see cref="DeadLetter.FullBodyLength"/>). Default 16 MiB; 65,536 bytes to 512
    /// MiB.
    /// </summary>
    [AllowedRange(64 * 1024, 512 * 1024 * 1024)]
    public int MaxUnreadBodyBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>
    /// The total size in bytes of unreadable bodies above 65,536 bytes that the dead letters of one subscription store
    /// whole. Beyond this total they store the first 65,536 bytes of each. RabbitMQ without a store cannot count them
    /// and applies only <see cref="MaxUnreadBodyBytes"/>. Default 256 MiB; 0 to 1 TiB.
    /// </summary>
    [AllowedRange(0, 1L << 40)]
    public long MaxUnreadBytes { get; set; } = 256L * 1024 * 1024;

    /// <summary>The maximum nesting depth of the JSON of an event. Default 32; 1 to 1,000.</summary>
    [AllowedRange(1, 1_000)]
    public int MaxDepth { get; set; } = 32;

    /// <summary>
    /// The number of events of one key that may wait behind a failed event, or that order guards may defer; later ones
    /// become dead letters, in order. Default 1,000; 1 to 1,000,000.
    /// </summary>
    [AllowedRange(1, 1_000_000)]
    public int MaxParkedPerKey { get; set; } = 1_000;

    /// <summary>
    /// The duration of the lease on a failed event, or on the key of an event in an idempotent subscription. The lease
    /// is renewed while a handler runs. If the process ends, another instance takes over when the lease expires. An
    /// in-memory store, which ends with the process, needs no lease on keys. Default 30 s; 1 s to 1 h.
    /// </summary>
    [AllowedRange("00:00:01", "01:00:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The minimum interval between alerts for dead letters of the same subscription and event name. Dead letters after
    /// the first are combined into one alert. All event names that the application does not declare count as one name.
    /// Default 1 min; 0 to 1 h.
    /// </summary>
    [AllowedRange("00:00:00", "01:00:00")]
    public TimeSpan AlertInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The retention time of dead letters; null keeps them until an operator retries or discards them. Default null; 1
    /// min to 10 years.
    /// </summary>
    [AllowedRange("00:01:00", "3653.00:00:00")]
    public TimeSpan? DeadLetterRetention { get; set; }

    /// <summary>
    /// The address of a page that shows a dead letter, which alerts, the webhook and the critical log entry contain.
    /// <c>{id}</c>, <c>{subscription}</c> and <c>{service}</c> are replaced, for example in
    /// <c>https://ops.example/dead-letters?id={id}</c>. It must contain no secret. Default null: they contain only the
    /// call (<see cref="DeadLetterAlert.FindCall"/>).
    /// </summary>
    [LinkTemplate]
    public string? DeadLetterLink { get; set; }

    /// <summary>
    /// The retries of failed events, and of failed saga steps. Default: 3 retries, after 5 s, 25 s and about 2 min.
    /// </summary>
    [ValidateObjectMembers]
    public RetryOptions Retry { get; set; } = new();

    /// <summary>
    /// The number of consecutive attempts of a subscription that must fail within <see cref="CircuitBreakerWindow"/> to
    /// open its circuit breaker and pause it; 0 disables the circuit breaker. Set it higher than the attempts of one
    /// event (4 by default), so that a single bad event does not pause the subscription. Default 0; 0 to 1,000.
    /// </summary>
    [AllowedRange(0, 1_000)]
    public int CircuitBreakerFailures { get; set; }

    /// <summary>
    /// The time within which <see cref="CircuitBreakerFailures"/> attempts must fail to pause a subscription. The first
    /// probe follows after the same time, but after at most 30 s. Default 1 min; 1 s to 1 day.
    /// </summary>
    [AllowedRange("00:00:01", "1.00:00:00")]
    public TimeSpan CircuitBreakerWindow { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The options of all sagas. Defaults: see <see cref="SagaOptions"/>.</summary>
    [ValidateObjectMembers]
    public SagaOptions Sagas { get; set; } = new();

    /// <summary>
    /// Options of individual subscriptions, by subscription name. They override the options that are set in code.
    /// Default none.
    /// </summary>
    public IDictionary<string, SubscriptionOptions> Subscriptions { get; } =
        new Dictionary<string, SubscriptionOptions>(StringComparer.Ordinal);
}
