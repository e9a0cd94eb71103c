namespace EventBus;

/// <summary>The status of a step. Stores keep the numeric values.</summary>
public enum SagaStepStatus
{
    /// <summary>
    /// The step is being executed, or waits for its retry. Unless an exception means a rejection, a failed attempt may
    /// have had an effect.
    /// </summary>
    Executing = 0,

    /// <summary>The step was executed, and waits for its reply event.</summary>
    Waiting = 1,

    /// <summary>The step was executed, and the reply that it waits for, if any, was processed.</summary>
    Executed = 2,

    /// <summary>The step failed and certainly had no effect: there is nothing to compensate.</summary>
    Rejected = 3,

    /// <summary>The step failed, but may have had an effect.</summary>
    InDoubt = 4,

    /// <summary>The step is being compensated, or waits for the retry of its compensation.</summary>
    Compensating = 5,

    /// <summary>The step was compensated.</summary>
    Compensated = 6,

    /// <summary>An operator skipped its execution or its compensation.</summary>
    Skipped = 7,
}
