namespace EventBus;

/// <summary>What a dead letter means for the later events of its key.</summary>
public enum BlockedKeyBehavior
{
    /// <summary>They wait until people have retried or discarded it.</summary>
    Wait,

    /// <summary>They go on without it.</summary>
    Continue,
}
