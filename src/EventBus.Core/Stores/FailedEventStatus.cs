namespace EventBus.Stores;

/// <summary>Specifies the status of a failed event.</summary>
public enum FailedEventStatus
{
    /// <summary>It waits for its next attempt.</summary>
    Waiting,

    /// <summary>It waits behind a failed event of its key, without an attempt.</summary>
    Parked,

    /// <summary>It is a dead letter: an operator decides what happens to it.</summary>
    Dead,

    /// <summary>It waits for another event of its key, because an order guard deferred it.</summary>
    Deferred,
}
