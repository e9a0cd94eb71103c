namespace EventBus;

/// <summary>Where a saga stands. The numbers are kept in stores.</summary>
public enum SagaStatus
{
    /// <summary>Its steps are being executed, or it waits for a retry or a reply.</summary>
    Running = 0,

    /// <summary>A step has failed, and what was done is being undone in reverse order.</summary>
    Compensating = 1,

    /// <summary>It cannot go on by itself, and people were alerted: retry, skip or finish it (<see cref="ISagas"/>).</summary>
    NeedsAttention = 2,

    /// <summary>Ended: every step was executed.</summary>
    Completed = 3,

    /// <summary>Ended: a step failed, and everything that was or may have been done is undone.</summary>
    Compensated = 4,

    /// <summary>Ended by people, as it stood.</summary>
    Finished = 5,
}
