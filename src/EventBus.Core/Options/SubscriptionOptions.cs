namespace EventBus;

/// <summary>The settings of one subscription. What is null is as for the whole bus.</summary>
public sealed class SubscriptionOptions
{
    /// <summary>How many events are handled at once; for an ordered subscription the number of lanes. Default: as for the bus; 1 to 1,000.</summary>
    public int? Concurrency { get; set; }

    /// <summary>How long one start of a handler may take before it counts as failed. Default: as for the bus; 10 ms to 1 day.</summary>
    public TimeSpan? HandlerTimeout { get; set; }

    /// <summary>How many retries follow the first start. Default: that of the bus. 0 to 100.</summary>
    public int? RetryCount { get; set; }

    /// <summary>The wait before the first retry; later ones follow from it as <see cref="RetryOptions.FirstDelay"/> says. Default: that of the bus. 0 to 1 day.</summary>
    public TimeSpan? RetryFirstDelay { get; set; }

    /// <summary>The waits before the retries one by one, instead of <see cref="RetryCount"/> and <see cref="RetryFirstDelay"/>. Default: null, as those say, or as for the bus. 1 to 100 waits of 0 to 7 days.</summary>
    public IReadOnlyList<TimeSpan>? RetryDelays { get; set; }

    /// <summary>How many starts in a row must fail within <see cref="CircuitBreakerWindow"/> to pause the subscription; 0 for never. Default: as for the bus; 0 to 1,000.</summary>
    public int? CircuitBreakerFailures { get; set; }

    /// <summary>The time in which they must fail. Default: as for the bus; 1 s to 1 day.</summary>
    public TimeSpan? CircuitBreakerWindow { get; set; }
}
