namespace EventBus;

/// <summary>A saga as people see it.</summary>
public sealed record SagaInfo
{
    /// <summary>The saga's id.</summary>
    public required string Id { get; init; }

    /// <summary>The name of the saga that it is one of.</summary>
    public required string Saga { get; init; }

    /// <summary>Where it stands.</summary>
    public required SagaStatus Status { get; init; }

    /// <summary>The step at which it failed, or could not go on; null while nothing has failed.</summary>
    public string? FailedStep { get; init; }

    /// <summary>The last error in one line; null for none.</summary>
    public string? Error { get; init; }

    /// <summary>When it was started.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When it changed last.</summary>
    public required DateTimeOffset ChangedAt { get; init; }

    /// <summary>When it goes on: a retry, a time-out, or the end of the lease of the instance that works on it. Null when nothing is due.</summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>Rises with each saga: where a listing continues (<see cref="SagaFilter.Before"/>).</summary>
    public required long Number { get; init; }

    /// <summary>The steps that were begun, in the order in which they were begun.</summary>
    public IReadOnlyList<SagaStepInfo> Steps { get; init; } = [];

    /// <summary>What happened, the oldest first; at most the latest 100 entries.</summary>
    public IReadOnlyList<SagaHistoryEntry> History { get; init; } = [];

    /// <summary>The state as JSON (UTF-8); empty where it cannot be read.</summary>
    public ReadOnlyMemory<byte> State { get; init; }
}
