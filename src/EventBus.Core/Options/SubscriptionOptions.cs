using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>The options of one subscription. A value that is null is taken from the bus.</summary>
public sealed class SubscriptionOptions
{
    /// <summary>
    /// The number of events that are handled concurrently; for an ordered subscription, the number of partitions of its
    /// keys. Default: as for the bus; 1 to 1,000.
    /// </summary>
    [AllowedRange(1, 1_000)]
    public int? Concurrency { get; set; }

    /// <summary>The time after which an attempt counts as failed. Default: as for the bus; 10 ms to 1 day.</summary>
    [AllowedRange("00:00:00.01", "1.00:00:00")]
    public TimeSpan? HandlerTimeout { get; set; }

    /// <summary>The retries of failed events. Default: as for the bus.</summary>
    [ValidateObjectMembers]
    public RetryOptions Retry { get; set; } = new();

    /// <summary>
    /// The number of consecutive attempts that must fail within <see cref="CircuitBreakerWindow"/> to pause the
    /// subscription; 0 disables the circuit breaker. Default: as for the bus; 0 to 1,000.
    /// </summary>
    [AllowedRange(0, 1_000)]
    public int? CircuitBreakerFailures { get; set; }

    /// <summary>The time within which these attempts must fail. Default: as for the bus; 1 s to 1 day.</summary>
    [AllowedRange("00:00:01", "1.00:00:00")]
    public TimeSpan? CircuitBreakerWindow { get; set; }
}
