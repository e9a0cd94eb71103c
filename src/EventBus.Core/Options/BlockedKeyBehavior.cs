namespace EventBus;

/// <summary>Specifies whether a dead letter blocks the later events of its key.</summary>
public enum BlockedKeyBehavior
{
    /// <summary>Later events of the key wait until an operator has retried or discarded the dead letter.</summary>
    Wait,

    /// <summary>Later events of the key continue without it.</summary>
    Continue,
}
