namespace EventBus;

/// <summary>The status of a step. Stores keep the numeric values.</summary>
public enum SagaStepStatus
{
    /// <summary>
    /// The step is being executed, or waits for its retry. If it fails now, it is not known whether it had an effect.
    /// </summary>
    Executing = 0,

    /// <summary>The step was executed, and waits for its reply event.</summary>
    Waiting = 1,

    /// <summary>The step was executed.</summary>
    Executed = 2,

    /// <summary>The step had no effect: there is nothing to compensate.</summary>
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
