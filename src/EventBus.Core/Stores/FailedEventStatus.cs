namespace EventBus.Stores;

/// <summary>Specifies the status of a failed event.</summary>
public enum FailedEventStatus
{
    /// <summary>The event waits for its next attempt.</summary>
    Waiting,

    /// <summary>The event waits behind a failed event of its key, without an attempt.</summary>
    Parked,

    /// <summary>The event is a dead letter: an operator decides what happens to it.</summary>
    Dead,

    /// <summary>The event waits for another event of its key, because an order guard deferred it.</summary>
    Deferred,
}
