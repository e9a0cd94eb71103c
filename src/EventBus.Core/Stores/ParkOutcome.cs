namespace EventBus.Stores;

/// <summary>Specifies the result of <see cref="KeyedFailureStore.TryParkAsync"/>.</summary>
public enum ParkOutcome
{
    /// <summary>No earlier event of the key waits in the store: the event is to be handled.</summary>
    NotBlocked,

    /// <summary>The event waits behind the failed event, or was already in the line.</summary>
    Parked,

    /// <summary>The line is full: the event becomes a dead letter, at the end of the line.</summary>
    LineFull,
}
