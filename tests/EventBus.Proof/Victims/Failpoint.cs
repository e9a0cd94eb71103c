namespace EventBus.Proof;

/// <summary>The points at which a victim kills itself, once for each event.</summary>
internal enum Failpoint
{
    /// <summary>No point.</summary>
    None,

    /// <summary>In the handler, before its effect.</summary>
    BeforeEffect,

    /// <summary>After the handler has succeeded, before anything is committed or sent.</summary>
    BeforeCommit,

    /// <summary>After the commit, before anything is sent.</summary>
    BeforeDispatch,

    /// <summary>After the follow-up events are sent, before the store records that.</summary>
    AfterDispatch,

    /// <summary>After the store has recorded that all is sent, before the acknowledgement.</summary>
    BeforeAcknowledge,
}
