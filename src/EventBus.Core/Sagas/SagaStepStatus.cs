namespace EventBus;

/// <summary>Where a step stands. The numbers are kept in stores.</summary>
public enum SagaStepStatus
{
    /// <summary>It is being executed, or waits for its retry. If it fails now, nobody knows whether it had an effect.</summary>
    Executing = 0,

    /// <summary>It was executed, and waits for its reply event.</summary>
    Waiting = 1,

    /// <summary>It was executed.</summary>
    Executed = 2,

    /// <summary>It certainly had no effect: there is nothing to undo.</summary>
    Rejected = 3,

    /// <summary>It failed, and may have had an effect all the same.</summary>
    InDoubt = 4,

    /// <summary>It is being undone, or waits for the retry of that.</summary>
    Compensating = 5,

    /// <summary>It was undone.</summary>
    Compensated = 6,

    /// <summary>People decided to go on without it, or without undoing it.</summary>
    Skipped = 7,
}
