namespace EventBus.Stores;

/// <summary>A saga as a store keeps it. Immutable: every change is a new instance.</summary>
public sealed record SagaEntry
{
    /// <summary>The saga's id, unique in the application: 1 to 128 characters.</summary>
    public required string Id { get; init; }

    /// <summary>The name of the saga that it is one of, for instance <c>book-trip</c>.</summary>
    public required string Saga { get; init; }

    /// <summary>Where it stands.</summary>
    public required SagaStatus Status { get; init; }

    /// <summary>Rises with every change. Given by the store: 1 for a new entry.</summary>
    public long Version { get; init; }

    /// <summary>Rises with each saga of the store that is started: where a listing continues. Given by the store.</summary>
    public long Number { get; init; }

    /// <summary>The claim under which an instance works on it, higher each time: what a late owner is told apart by.</summary>
    public long Claim { get; init; }

    /// <summary>When somebody must go on with it: a retry, a time-out, or the end of the lease of the instance that works on it. Null when nobody needs to.</summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>When people must be told that it needs them; null when they need not.</summary>
    public DateTimeOffset? AlertAt { get; init; }

    /// <summary>By what the reply that it waits for finds it, where that is not its id; null for nothing. At most 512 characters.</summary>
    public string? WaitKey { get; init; }

    /// <summary>When it was started.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When it changed last.</summary>
    public required DateTimeOffset ChangedAt { get; init; }

    /// <summary>Until when an ended saga is kept, so that nothing late brings it to life again; null while it has not ended.</summary>
    public DateTimeOffset? KeepUntil { get; init; }

    /// <summary>Its state and its progress, as JSON (UTF-8). The store keeps the bytes as they are.</summary>
    public required ReadOnlyMemory<byte> Content { get; init; }

    /// <summary>What is wrong with an entry that could not be read from the store; null when all is well. Such an entry has no content. Saving it writes the rest, and leaves the content that is stored as it is.</summary>
    public string? Defect { get; init; }
}
