namespace EventBus.Stores;

/// <summary>Where a key stands.</summary>
public enum ProcessedState
{
    /// <summary>It is the caller's now.</summary>
    New,

    /// <summary>Another holds it, and its lease has not ended.</summary>
    InProgress,

    /// <summary>It was handled.</summary>
    Done,
}
