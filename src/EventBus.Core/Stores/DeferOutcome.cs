namespace EventBus.Stores;

/// <summary>Specifies the result of <see cref="KeyedFailureStore.DeferAsync"/>.</summary>
public enum DeferOutcome
{
    /// <summary>
    /// The event is deferred. Or nothing changed, because it was stored before or the claim was lost.
    /// </summary>
    Deferred,

    /// <summary>An event of the key was settled since the guard's decision: call the guard again.</summary>
    Changed,

    /// <summary>The key already has the maximum number of deferred events.</summary>
    Full,
}
