namespace EventBus;

/// <summary>How long events wait at an order guard.</summary>
public sealed class OrderGuardOptions
{
    /// <summary>How long an event may wait in all; then it becomes a dead letter (<see cref="DeadLetterReason.OutOfOrder"/>), with an alert. Default 5 min; 10 ms to 30 days.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>When to ask the guard again although nothing of the key has happened in this subscription, for guards that look at something else. Default 30 s; 10 ms to 30 days.</summary>
    public TimeSpan RecheckAfter { get; set; } = TimeSpan.FromSeconds(30);
}
