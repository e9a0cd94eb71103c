namespace EventBus.Proof;

/// <summary>The points at which a victim kills itself, once for each event.</summary>
internal enum Failpoint
{
    /// <summary>Nowhere.</summary>
    None,

    /// <summary>In the handler, before it has done anything.</summary>
    BeforeEffect,

    /// <summary>The handler has succeeded; nothing is committed or sent.</summary>
    BeforeCommit,

    /// <summary>Committed; nothing is sent.</summary>
    BeforeDispatch,

    /// <summary>The follow-up events are sent; the store does not know yet.</summary>
    AfterDispatch,

    /// <summary>The store knows that all is sent; the event is not acknowledged.</summary>
    BeforeAcknowledge,
}
