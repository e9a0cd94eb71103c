namespace EventBus;

/// <summary>An event that waits in the store until it is due (<see cref="DelayedEvents"/>).</summary>
public sealed record DelayedEvent
{
    /// <summary>The event's id.</summary>
    public required string EventId { get; init; }

    /// <summary>The event's name.</summary>
    public required string EventName { get; init; }

    /// <summary>The event's key; null for none.</summary>
    public string? Key { get; init; }

    /// <summary>The time at which the event is published, by the clock of the store.</summary>
    public required DateTimeOffset DueAt { get; init; }
}
