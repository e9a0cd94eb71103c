namespace EventBus;

/// <summary>How far one step is.</summary>
internal sealed class SagaStepProgress
{
    public required string Name { get; set; }

    public SagaStepStatus Status { get; set; }

    /// <summary>A run of it was about to begin, and its end is not known.</summary>
    public bool Begun { get; set; }

    /// <summary>An earlier run may have had its effect. Knowledge and no budget: only the success of the step or of its compensation clears it.</summary>
    public bool MayHaveEffect { get; set; }

    /// <summary>How many events the step published when it was executed.</summary>
    public int Published { get; set; }

    /// <summary>Runs that failed, of what it is doing now.</summary>
    public int Failures { get; set; }

    /// <summary>Runs that ended with their process.</summary>
    public int Interruptions { get; set; }

    public string? Error { get; set; }

    /// <summary>Since when it waits for its reply.</summary>
    public DateTimeOffset? WaitsSince { get; set; }

    /// <summary>Until when.</summary>
    public DateTimeOffset? WaitsUntil { get; set; }

    /// <summary>A run that was about to begin, or had begun, is over without a result.</summary>
    public void CutOff() => (MayHaveEffect, Begun) = (MayHaveEffect || Begun, false);
}
