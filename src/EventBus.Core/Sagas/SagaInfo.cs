namespace EventBus;

/// <summary>Describes a stored saga.</summary>
public sealed record SagaInfo
{
    /// <summary>The saga's id.</summary>
    public required string Id { get; init; }

    /// <summary>The name under which the saga is registered.</summary>
    public required string Saga { get; init; }

    /// <summary>The status.</summary>
    public required SagaStatus Status { get; init; }

    /// <summary>The step that failed or could not continue; null if nothing has failed.</summary>
    public string? FailedStep { get; init; }

    /// <summary>The reason why the saga needs attention, or else the last error, in one line; null for none.</summary>
    public string? Error { get; init; }

    /// <summary>The full name of the type of the last exception of a step; null for none.</summary>
    public string? ErrorType { get; init; }

    /// <summary>The time at which the saga was started.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>The time of the last change.</summary>
    public required DateTimeOffset ChangedAt { get; init; }

    /// <summary>
    /// The time at which the saga continues: at a retry, at a timeout, or when the lease of the instance that processes
    /// it ends. Null if it does not continue by itself.
    /// </summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>
    /// A number that increases with each saga, used to continue a listing (<see cref="SagaFilter.Before"/>).
    /// </summary>
    public required long Number { get; init; }

    /// <summary>The steps that have begun, in the order in which they began.</summary>
    public IReadOnlyList<SagaStepInfo> Steps { get; init; } = [];

    /// <summary>The history, oldest first; at most the latest 100 entries.</summary>
    public IReadOnlyList<SagaHistoryEntry> History { get; init; } = [];

    /// <summary>The state as JSON (UTF-8); empty if it cannot be read.</summary>
    public ReadOnlyMemory<byte> State { get; init; }
}
