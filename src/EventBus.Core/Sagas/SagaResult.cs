namespace EventBus;

/// <summary>The result of a saga that has ended or needs attention.</summary>
/// <typeparam name="TState">The type of the saga's state.</typeparam>
public sealed record SagaResult<TState>
    where TState : notnull
{
    /// <summary>The saga's id.</summary>
    public required string Id { get; init; }

    /// <summary>
    /// <see cref="SagaStatus.Completed"/>, <see cref="SagaStatus.Compensated"/>, <see cref="SagaStatus.Finished"/> or
    /// <see cref="SagaStatus.NeedsAttention"/>.
    /// </summary>
    public required SagaStatus Status { get; init; }

    /// <summary>The state after the last successful step or compensation.</summary>
    public required TState State { get; init; }

    /// <summary>The step that failed or could not continue; null for none.</summary>
    public string? FailedStep { get; init; }

    /// <summary>
    /// The reason why the saga needs attention, or else the error of the failed step, in one line. Null if nothing
    /// failed.
    /// </summary>
    public string? Error { get; init; }

    /// <summary>The compensated steps, in the order of their compensation.</summary>
    public IReadOnlyList<string> Compensated { get; init; } = [];

    /// <summary>True if the status is <see cref="SagaStatus.Completed"/>.</summary>
    public bool IsCompleted => Status == SagaStatus.Completed;
}
