namespace EventBus.Proof;

/// <summary>The records of an execution of a step. Their numbers are stored in the ledger.</summary>
internal enum ServiceMark
{
    /// <summary>A run has begun.</summary>
    Begun = 0,

    /// <summary>The service did what was asked for.</summary>
    Acted = 1,

    /// <summary>The service had done that before under this key, and did nothing.</summary>
    Repeated = 2,

    /// <summary>A process with a lower fencing token was refused.</summary>
    Refused = 3,

    /// <summary>The run has ended well.</summary>
    Ended = 4,

    /// <summary>The run has failed.</summary>
    Failed = 5,

    /// <summary>The run has failed because the service said no.</summary>
    Rejected = 6,

    /// <summary>No run: the store of sagas took the end of the saga.</summary>
    AtEnd = 7,

    /// <summary>No run: a process took the saga although the lease of another had not expired.</summary>
    TakenEarly = 8,
}
