namespace EventBus;

/// <summary>The status of a step. Stores keep the numeric values.</summary>
public enum SagaStepStatus
{
    /// <summary>
    /// It is being executed, or waits for its retry. If it fails now, it is not known whether it had an effect.
    /// </summary>
    Executing = 0,

    /// <summary>It was executed, and waits for its reply event.</summary>
    Waiting = 1,

    /// <summary>It was executed.</summary>
    Executed = 2,

    /// <summary>It had no effect: there is nothing to compensate.</summary>
    Rejected = 3,

    /// <summary>It failed, but may have had an effect.</summary>
    InDoubt = 4,

    /// <summary>It is being compensated, or waits for the retry of its compensation.</summary>
    Compensating = 5,

    /// <summary>It was compensated.</summary>
    Compensated = 6,

    /// <summary>An operator skipped its execution or its compensation.</summary>
    Skipped = 7,
}
