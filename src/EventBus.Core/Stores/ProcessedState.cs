namespace EventBus.Stores;

/// <summary>Specifies the state of a <see cref="ProcessedKey"/> when it is claimed.</summary>
public enum ProcessedState
{
    /// <summary>The caller has claimed the key.</summary>
    New,

    /// <summary>Another caller holds the key, and its lease has not expired.</summary>
    InProgress,

    /// <summary>The event was handled.</summary>
    Done,
}
