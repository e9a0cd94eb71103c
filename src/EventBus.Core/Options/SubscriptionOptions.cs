namespace EventBus;

/// <summary>The options of one subscription. A null value means the value of the bus.</summary>
public sealed class SubscriptionOptions
{
    /// <summary>
    /// The number of events that are handled concurrently; for an ordered subscription, the number of partitions of its
    /// keys. Default: as for the bus; 1 to 1,000.
    /// </summary>
    public int? Concurrency { get; set; }

    /// <summary>The time after which an attempt counts as failed. Default: as for the bus; 10 ms to 1 day.</summary>
    public TimeSpan? HandlerTimeout { get; set; }

    /// <summary>The number of retries after the first attempt. Default: as for the bus; 0 to 100.</summary>
    public int? RetryCount { get; set; }

    /// <summary>
    /// The delay before the first retry; later delays follow from it (see <see cref="RetryOptions.FirstDelay"/>).
    /// Default: as for the bus; 0 to 1 day.
    /// </summary>
    public TimeSpan? RetryFirstDelay { get; set; }

    /// <summary>
    /// The delays before the retries as a list, instead of <see cref="RetryCount"/> and <see cref="RetryFirstDelay"/>.
    /// Default null: the delays follow from those two, or are as for the bus. 1 to 100 delays of 0 to 7 days.
    /// </summary>
    public IReadOnlyList<TimeSpan>? RetryDelays { get; set; }

    /// <summary>
    /// The number of consecutive attempts that must fail within <see cref="CircuitBreakerWindow"/> to pause the
    /// subscription; 0 disables the circuit breaker. Default: as for the bus; 0 to 1,000.
    /// </summary>
    public int? CircuitBreakerFailures { get; set; }

    /// <summary>The time within which these attempts must fail. Default: as for the bus; 1 s to 1 day.</summary>
    public TimeSpan? CircuitBreakerWindow { get; set; }
}
