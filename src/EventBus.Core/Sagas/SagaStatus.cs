namespace EventBus;

/// <summary>The status of a saga. Stores keep the numeric values.</summary>
public enum SagaStatus
{
    /// <summary>The saga executes its steps, or waits for a retry or a reply.</summary>
    Running = 0,

    /// <summary>A step has failed, and the steps before it are being compensated in reverse order.</summary>
    Compensating = 1,

    /// <summary>
    /// The saga needs an operator, and an alert was raised: retry, skip or finish it (<see cref="SagaManager"/>).
    /// </summary>
    NeedsAttention = 2,

    /// <summary>Ended: every step was executed, or skipped by an operator.</summary>
    Completed = 3,

    /// <summary>
    /// Ended: a step failed, and every compensation that was needed has succeeded or was skipped by an operator.
    /// </summary>
    Compensated = 4,

    /// <summary>Ended by an operator, without further execution or compensation.</summary>
    Finished = 5,
}
