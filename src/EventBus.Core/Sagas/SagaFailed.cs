namespace EventBus;

/// <summary>
/// Reports that a saga has failed and ended: its steps were compensated, or an operator finished the saga.
/// </summary>
[EventName("saga.failed")]
public sealed record SagaFailed
{
    /// <summary>The saga's id.</summary>
    public required string SagaId { get; init; }

    /// <summary>The name under which the saga is registered.</summary>
    public required string Saga { get; init; }

    /// <summary>The final status: <c>compensated</c>, or <c>finished</c> by an operator.</summary>
    public required string Status { get; init; }

    /// <summary>The step that failed; null if an operator finished the saga and no step had failed.</summary>
    public string? FailedStep { get; init; }

    /// <summary>
    /// The type of the exception that the step failed with; null if there was none. The message is left out because it
    /// may be confidential.
    /// </summary>
    public string? Error { get; init; }

    /// <summary>The compensated steps, in the order of their compensation.</summary>
    public IReadOnlyList<string> Compensated { get; init; } = [];

    /// <summary>The steps whose execution or compensation an operator skipped.</summary>
    public IReadOnlyList<string> Skipped { get; init; } = [];
}
