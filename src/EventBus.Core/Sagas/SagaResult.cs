namespace EventBus;

/// <summary>How a saga ended, or that it needs people.</summary>
/// <typeparam name="TState">The type of its state.</typeparam>
public sealed record SagaResult<TState>
    where TState : notnull
{
    /// <summary>The saga's id.</summary>
    public required string Id { get; init; }

    /// <summary><see cref="SagaStatus.Completed"/>, <see cref="SagaStatus.Compensated"/>, <see cref="SagaStatus.Finished"/> or <see cref="SagaStatus.NeedsAttention"/>.</summary>
    public required SagaStatus Status { get; init; }

    /// <summary>The state as the last successful step left it.</summary>
    public required TState State { get; init; }

    /// <summary>The step that failed; null where none did.</summary>
    public string? FailedStep { get; init; }

    /// <summary>The last error in one line: the exception's type and message. Null where nothing failed.</summary>
    public string? Error { get; init; }

    /// <summary>The steps that were undone, in the order in which they were.</summary>
    public IReadOnlyList<string> Compensated { get; init; } = [];

    /// <summary>Whether every step was executed.</summary>
    public bool IsCompleted => Status == SagaStatus.Completed;
}
