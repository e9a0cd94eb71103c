namespace EventBus;

/// <summary>The state of a publish call in the queues of its keys.</summary>
internal enum PublishCallState
{
    /// <summary>Sent to the transport for the first time; others may follow.</summary>
    Begun,

    /// <summary>Waits for its turn.</summary>
    Waiting,

    /// <summary>About to be sent as the next one, or alone for a retry; no other call may follow.</summary>
    Released,
}
