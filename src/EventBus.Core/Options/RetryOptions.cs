namespace EventBus;

/// <summary>Options for the retries of a failed event before it becomes a dead letter.</summary>
public sealed class RetryOptions
{
    /// <summary>The number of retries after the first attempt. Default 3; 0 to 100.</summary>
    public int Count { get; set; } = 3;

    /// <summary>
    /// The delay before the first retry. The second delay is 6 times as long, the third 24 times, and each later one is
    /// 4 times the previous one: 5 s, 30 s, 2 min. Default 5 s; 0 to 1 day.
    /// </summary>
    public TimeSpan FirstDelay { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The maximum delay. Default 1 h; 0 to 7 days.</summary>
    public TimeSpan MaxDelay { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// The delays as a list, instead of <see cref="Count"/> and <see cref="FirstDelay"/>: one retry per delay. Null for
    /// none. Default null; 1 to 100 delays of 0 to 7 days.
    /// </summary>
    public IReadOnlyList<TimeSpan>? Delays { get; set; }

    /// <summary>
    /// The random jitter of each delay, as a fraction of the delay: 0.2 means 20 % shorter to 20 % longer. Default 0.2;
    /// 0 to 1.
    /// </summary>
    public double Jitter { get; set; } = 0.2;
}
