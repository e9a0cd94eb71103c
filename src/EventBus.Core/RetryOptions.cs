namespace EventBus;

/// <summary>When a failed event is started again before it becomes a dead letter.</summary>
public sealed class RetryOptions
{
    /// <summary>How many retries follow the first start. Default 3; 0 to 100.</summary>
    public int Count { get; set; } = 3;

    /// <summary>The wait before the first retry. The second waits 6 times as long, the third 24 times, and each later one 4 times longer than the one before: 5 s, 30 s, 2 min. Default 5 s; 0 to 1 day.</summary>
    public TimeSpan FirstDelay { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The longest wait. Default 1 h; 0 to 7 days.</summary>
    public TimeSpan MaxDelay { get; set; } = TimeSpan.FromHours(1);

    /// <summary>The waits one by one, instead of <see cref="Count"/> and <see cref="FirstDelay"/>: as many retries as there are waits. Null for none. Default null; 1 to 100 waits of 0 to 7 days.</summary>
    public IReadOnlyList<TimeSpan>? Delays { get; set; }

    /// <summary>How far each wait is spread at random, as a part of itself: 0.2 means 20 % shorter to 20 % longer. Default 0.2; 0 to 1.</summary>
    public double Jitter { get; set; } = 0.2;
}

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

    /// <summary>How many starts in a row must fail within <see cref="PauseTime"/> to pause the subscription; 0 for never. Default: as for the bus; 0 to 1,000.</summary>
    public int? PauseCount { get; set; }

    /// <summary>The time in which they must fail. Default: as for the bus; 1 s to 1 day.</summary>
    public TimeSpan? PauseTime { get; set; }
}
