namespace EventBus;

/// <summary>The state of a publish call in the lines of its keys.</summary>
internal enum PublishCallState
{
    /// <summary>
    /// Being sent to the transport for the first time, without outcomes yet. Later calls may be sent meanwhile.
    /// </summary>
    Sent,

    /// <summary>Waits for its turn: for its first attempt behind a call that is retried, or for a retry.</summary>
    Waiting,

    /// <summary>
    /// May be sent now. No other call of its keys may be sent until the transport has this one; if this is a retry,
    /// until it has its outcomes.
    /// </summary>
    Released,
}
