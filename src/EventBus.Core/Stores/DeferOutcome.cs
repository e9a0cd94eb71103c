namespace EventBus.Stores;

/// <summary>What <see cref="FailureStore.DeferAsync"/> did.</summary>
public enum DeferOutcome
{
    /// <summary>It waits, or was kept already, or the claim was lost.</summary>
    Deferred,

    /// <summary>Something of its key has happened since the guard looked: ask the guard again.</summary>
    Changed,

    /// <summary>Too many events of the key wait already.</summary>
    Full,
}
