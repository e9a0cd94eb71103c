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
