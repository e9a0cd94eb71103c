namespace EventBus.Stores;

/// <summary>Represents a saga in a store. Immutable: every change creates a new instance.</summary>
public sealed record SagaEntry
{
    /// <summary>The saga's id, unique in the application: 1 to 128 characters.</summary>
    public required string Id { get; init; }

    /// <summary>The name of the saga definition, for instance <c>book-trip</c>.</summary>
    public required string Saga { get; init; }

    /// <summary>The status of the saga.</summary>
    public required SagaStatus Status { get; init; }

    /// <summary>
    /// The version of the entry, which increases with every change. Assigned by the store: 1 for a new entry.
    /// </summary>
    public long Version { get; init; }

    /// <summary>
    /// A number that increases with each saga that is started in the store. A listing continues from it. Assigned by
    /// the store.
    /// </summary>
    public long Number { get; init; }

    /// <summary>
    /// The number of the claim under which an instance runs the saga. It increases with each claim, so that an instance
    /// notices that another one has taken the saga over.
    /// </summary>
    public long Claim { get; init; }

    /// <summary>
    /// The time at which an instance must continue the saga: a retry, a timeout, or the end of the lease of the
    /// instance that runs it. Null if no action is due.
    /// </summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>The time at which operators must be alerted that the saga needs them; null for no alert.</summary>
    public DateTimeOffset? AlertAt { get; init; }

    /// <summary>
    /// The key by which a reply finds the waiting saga, if it is not the saga's id; null for none. At most 512
    /// characters.
    /// </summary>
    public string? WaitKey { get; init; }

    /// <summary>The time at which the saga was started.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>The time of the last change.</summary>
    public required DateTimeOffset ChangedAt { get; init; }

    /// <summary>
    /// The time until which an ended saga is kept, so that a late event cannot start it again; null if it has not
    /// ended.
    /// </summary>
    public DateTimeOffset? KeepUntil { get; init; }

    /// <summary>The saga's state and progress, as JSON (UTF-8). The store keeps the bytes unchanged.</summary>
    public required ReadOnlyMemory<byte> Content { get; init; }

    /// <summary>
    /// The reason that the entry could not be read from the store; null if there is no defect. A defective entry has no
    /// content. Saving it writes the other values and leaves the stored content unchanged.
    /// </summary>
    public string? Defect { get; init; }
}
