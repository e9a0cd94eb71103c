namespace EventBus.Proof;

/// <summary>A change in the life of a saga: something that a service does, or something that the store takes.</summary>
internal enum SagaMoment
{
    /// <summary>None that matters: a lease is renewed.</summary>
    None,

    /// <summary>A service does what a step asks for.</summary>
    Execute,

    /// <summary>A service undoes it.</summary>
    Compensate,

    /// <summary>A step looks at the reply.</summary>
    Reply,

    Created,
    Claimed,

    /// <summary>A step was executed, the next begins.</summary>
    Executed,

    /// <summary>A step waits for its reply.</summary>
    Waiting,

    /// <summary>The saga waits, and no instance has its lease.</summary>
    LeftWaiting,

    /// <summary>The reply has come.</summary>
    Replied,

    RetryPlanned,

    /// <summary>From executing to undoing.</summary>
    Turned,

    /// <summary>A step was undone, the one before it begins.</summary>
    Compensated,

    NeedsOperator,
    AlertClaimed,
    AlertSent,
    Completed,

    /// <summary>Ended, and everything is undone.</summary>
    Undone,

    /// <summary>After the end: its events are sent, and removed.</summary>
    EventsCleared,
}
