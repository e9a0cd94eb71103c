namespace EventBus;

/// <summary>Holds the progress of one step.</summary>
internal sealed class SagaStepProgress
{
    public required string Name { get; set; }

    public SagaStepStatus Status { get; set; }

    /// <summary>
    /// True from the save before an attempt runs until the save of its result. If another instance finds it true, the
    /// attempt was interrupted.
    /// </summary>
    public bool Begun { get; set; }

    /// <summary>
    /// True if an earlier attempt may have had an effect. Only the success of the step or of its compensation clears
    /// it, and a retry by an operator does not.
    /// </summary>
    public bool MayHaveEffect { get; set; }

    /// <summary>
    /// The number of events that the step published when it was executed. From it follow their ids, which show that a
    /// reply belongs to this step.
    /// </summary>
    public int Published { get; set; }

    /// <summary>The number of failed attempts of the step's current operation.</summary>
    public int Failures { get; set; }

    /// <summary>The number of attempts of that operation that ended with their process.</summary>
    public int Interruptions { get; set; }

    /// <summary>The last error in one line; null for none.</summary>
    public string? Error { get; set; }

    /// <summary>The full name of the type of the last exception; null for none.</summary>
    public string? ErrorType { get; set; }

    /// <summary>The time since which the step waits for its reply; null if it does not wait.</summary>
    public DateTimeOffset? WaitsSince { get; set; }

    /// <summary>The time at which that wait times out; null if the step does not wait.</summary>
    public DateTimeOffset? WaitsUntil { get; set; }

    /// <summary>Ends an attempt whose result is unknown. If it had begun, it may have had an effect.</summary>
    public void CutOff()
    {
        MayHaveEffect |= Begun;
        Begun = false;
    }
}
