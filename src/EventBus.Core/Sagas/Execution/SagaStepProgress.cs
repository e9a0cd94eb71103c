namespace EventBus;

/// <summary>Holds the progress of one step.</summary>
internal sealed class SagaStepProgress
{
    public required string Name { get; set; }

    public SagaStepStatus Status { get; set; }

    /// <summary>True if an attempt was about to begin and its result is not known.</summary>
    public bool Begun { get; set; }

    /// <summary>
    /// True if an earlier attempt may have had an effect. A retry by an operator does not clear it; only the success of
    /// the step or of its compensation does.
    /// </summary>
    public bool MayHaveEffect { get; set; }

    /// <summary>The number of events that the step published when it was executed.</summary>
    public int Published { get; set; }

    /// <summary>The number of failed attempts of its current operation.</summary>
    public int Failures { get; set; }

    /// <summary>The number of attempts that ended with their process.</summary>
    public int Interruptions { get; set; }

    public string? Error { get; set; }

    /// <summary>The time since which it waits for its reply.</summary>
    public DateTimeOffset? WaitsSince { get; set; }

    /// <summary>The time at which that wait times out.</summary>
    public DateTimeOffset? WaitsUntil { get; set; }

    /// <summary>
    /// Ends an attempt without a result. If it was about to begin, or had begun, it may have had an effect.
    /// </summary>
    public void CutOff() => (MayHaveEffect, Begun) = (MayHaveEffect || Begun, false);
}
