namespace EventBus.Proof;

/// <summary>The records of an execution of a step. Their numbers are stored in the ledger.</summary>
internal enum ServiceMark
{
    /// <summary>An attempt has begun.</summary>
    Begun = 0,

    /// <summary>The service executed the call.</summary>
    Acted = 1,

    /// <summary>The service had executed the call before with this key, and ignored it.</summary>
    Repeated = 2,

    /// <summary>A process with a lower fencing token was refused.</summary>
    Refused = 3,

    /// <summary>The attempt has succeeded.</summary>
    Ended = 4,

    /// <summary>The attempt has failed.</summary>
    Failed = 5,

    /// <summary>The attempt has failed because the service rejected the call.</summary>
    Rejected = 6,

    /// <summary>No attempt: the saga store accepted the end of the saga.</summary>
    AtEnd = 7,

    /// <summary>No attempt: a process took the saga although the lease of another had not expired.</summary>
    TakenEarly = 8,
}
