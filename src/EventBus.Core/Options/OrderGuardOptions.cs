namespace EventBus;

/// <summary>The options of an order guard, which define how long events wait.</summary>
public sealed class OrderGuardOptions
{
    /// <summary>
    /// The total time that an event may wait. After it, the event becomes a dead letter
    /// (<see cref="DeadLetterReason.OutOfOrder"/>) and raises an alert. Default 5 min; 10 ms to 30 days.
    /// </summary>
    [AllowedRange("00:00:00.01", "30.00:00:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// The time after which the guard is called again for a deferred event, even if this subscription has handled no
    /// other event of the key. It is for guards that depend on other state. Default 30 s; 10 ms to 30 days.
    /// </summary>
    [AllowedRange("00:00:00.01", "30.00:00:00")]
    public TimeSpan RecheckAfter { get; set; } = TimeSpan.FromSeconds(30);
}
