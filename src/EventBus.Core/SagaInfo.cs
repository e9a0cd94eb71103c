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

/// <summary>One step of a saga that was begun.</summary>
/// <param name="Name">The step's name.</param>
/// <param name="Status">Where it stands.</param>
/// <param name="Failures">How many starts of what it is doing now have failed since it began, or since people had it retried.</param>
/// <param name="Interruptions">How many starts ended with their process.</param>
/// <param name="Error">Its last error in one line; null for none.</param>
public sealed record SagaStepInfo(string Name, SagaStepStatus Status, int Failures, int Interruptions, string? Error);

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

/// <summary>Something that happened to a saga.</summary>
/// <param name="At">When.</param>
/// <param name="Step">The step that it concerns; null for the saga as a whole.</param>
/// <param name="Text">What happened.</param>
public sealed record SagaHistoryEntry(DateTimeOffset At, string? Step, string Text);
