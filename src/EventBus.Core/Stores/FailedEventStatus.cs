namespace EventBus.Stores;

/// <summary>Where a failed event stands.</summary>
public enum FailedEventStatus
{
    /// <summary>It will be started again.</summary>
    Waiting,

    /// <summary>It waits behind a failed event of its key, and was not started.</summary>
    Parked,

    /// <summary>It is a dead letter: people decide.</summary>
    Dead,

    /// <summary>An order guard lets it wait for another event of its key.</summary>
    Deferred,
}
