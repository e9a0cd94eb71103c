namespace EventBus;

/// <summary>Describes a subscription of this instance (<see cref="ISubscriptionManager"/>).</summary>
public sealed record SubscriptionInfo
{
    /// <summary>The name of the subscription.</summary>
    public required string Name { get; init; }

    /// <summary>The names of the events that the subscription receives, or their patterns.</summary>
    public required IReadOnlyList<string> Events { get; init; }

    /// <summary>True if an operator has paused the subscription on this instance.</summary>
    public bool IsPaused { get; init; }

    /// <summary>
    /// The reason why the subscription takes no events although no operator has paused it: its circuit breaker has
    /// paused it, the store accepts no writes, or its intake has ended by an error. Null if there is none.
    /// </summary>
    public string? Problem { get; init; }

    /// <summary>The number of events that wait on the backend; null if the backend does not report it.</summary>
    public long? Waiting { get; init; }
}
