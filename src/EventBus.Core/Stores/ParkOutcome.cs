namespace EventBus.Stores;

/// <summary>What <see cref="FailureStore.TryParkAsync"/> did.</summary>
public enum ParkOutcome
{
    /// <summary>No earlier event of the key failed: handle it.</summary>
    NotBlocked,

    /// <summary>It waits behind the failed event, or stands in the line already.</summary>
    Parked,

    /// <summary>The line is full: it belongs to the dead letters, at the end of the line.</summary>
    LineFull,
}
