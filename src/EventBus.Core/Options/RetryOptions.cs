namespace EventBus;

/// <summary>
/// Options for the retries of a failed event before it becomes a dead letter, or of a failed saga step. The delays are
/// <see cref="Delay"/>, then <see cref="BackoffFactor"/> times the previous delay, at most <see cref="MaxDelay"/>; or
/// those of a list (<see cref="Delays"/>).
/// </summary>
/// <remarks>
/// A value that is null is inherited: a subscription and a saga step inherit from the bus
/// (<see cref="EventBusOptions.Retry"/>), and the bus has the defaults.
/// </remarks>
public sealed class RetryOptions
{
    /// <summary>The number of retries after the first attempt. Default 3; 0 to 100.</summary>
    [AllowedRange(0, 100)]
    public int? MaxRetryAttempts { get; set; }

    /// <summary>The delay before the first retry. Default 5 s; 0 to 1 day.</summary>
    [AllowedRange("00:00:00", "1.00:00:00")]
    public TimeSpan? Delay { get; set; }

    /// <summary>
    /// The factor by which each delay is longer than the previous one; 1 for equal delays. Default 5, which makes the
    /// delays 5 s, 25 s and about 2 min; 1 to 100.
    /// </summary>
    [AllowedRange(1.0, 100.0)]
    public double? BackoffFactor { get; set; }

    /// <summary>
    /// The maximum delay, before the jitter. Does not apply to <see cref="Delays"/>. Default 1 h; 0 to 7 days.
    /// </summary>
    [AllowedRange("00:00:00", "7.00:00:00")]
    public TimeSpan? MaxDelay { get; set; }

    /// <summary>
    /// The random jitter of each delay, as a fraction of the delay: 0.2 means 20 % shorter to 20 % longer. Default 0.2;
    /// 0 to 1.
    /// </summary>
    [AllowedRange(0.0, 1.0)]
    public double? Jitter { get; set; }

    /// <summary>
    /// The delays as a list, one retry per delay, instead of <see cref="MaxRetryAttempts"/>, <see cref="Delay"/> and
    /// <see cref="BackoffFactor"/>. Default null: no list; 1 to 100 delays of 0 to 7 days.
    /// </summary>
    /// <remarks>
    /// A subscription or a saga step that sets <see cref="Delay"/> or <see cref="BackoffFactor"/> does not inherit the
    /// list. Unless it sets <see cref="MaxRetryAttempts"/> too, it inherits the number of retries of the list. One that
    /// sets only <see cref="MaxRetryAttempts"/> inherits the list, and its last delay is repeated if needed.
    /// </remarks>
    [AllowedCount(1, 100)]
    [AllowedRange("00:00:00", "7.00:00:00")]
    public IList<TimeSpan>? Delays { get; set; }

    /// <summary>Sets the number of retries, and the first delay unless it is null. Removes a list of delays.</summary>
    internal void Set(int maxRetryAttempts, TimeSpan? delay)
    {
        MaxRetryAttempts = maxRetryAttempts;
        Delay = delay ?? Delay;
        Delays = null;
    }
}
