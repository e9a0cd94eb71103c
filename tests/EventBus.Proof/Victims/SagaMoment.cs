namespace EventBus.Proof;

/// <summary>A change of a saga: a call of a service, or a write to the store.</summary>
internal enum SagaMoment
{
    /// <summary>A change that is not tested: a lease is renewed.</summary>
    None,

    /// <summary>A service executes a step.</summary>
    Execute,

    /// <summary>A service compensates a step.</summary>
    Compensate,

    /// <summary>A step processes the reply.</summary>
    Reply,

    Created,
    Claimed,

    /// <summary>A step was executed, and the next one begins.</summary>
    Executed,

    /// <summary>A step waits for its reply.</summary>
    Waiting,

    /// <summary>The saga waits, and no instance has its lease.</summary>
    LeftWaiting,

    /// <summary>The reply has arrived.</summary>
    Replied,

    RetryPlanned,

    /// <summary>The saga changes from executing to compensating.</summary>
    Turned,

    /// <summary>A step was compensated, and the one before it begins.</summary>
    Compensated,

    NeedsOperator,
    AlertClaimed,
    AlertSent,
    Completed,

    /// <summary>The saga has ended, and everything is undone.</summary>
    Undone,

    /// <summary>The saga has ended, and its events are sent and removed.</summary>
    EventsCleared,
}
