namespace EventBus.Stores;

/// <summary>
/// The number of entries of a subscription in a <see cref="RetryStore"/>, by status. A number that the store does not
/// know is null.
/// </summary>
public readonly record struct FailureCounts
{
    /// <summary>
    /// The subscription; null if the store counts the entries of all subscriptions together, without their times.
    /// </summary>
    public string? Subscription { get; init; }

    /// <summary>The number of entries that wait for a retry, including claimed ones.</summary>
    public long? Waiting { get; init; }

    /// <summary>The number of entries that are parked behind a failed event of their key.</summary>
    public long? Parked { get; init; }

    /// <summary>The number of entries that an order guard deferred, including claimed ones.</summary>
    public long? Deferred { get; init; }

    /// <summary>The number of dead letters.</summary>
    public long? Dead { get; init; }

    /// <summary>
    /// The earliest time at which an entry is due; null for none. Parked entries, which are due at once when they
    /// become the head of their line, do not count. A claimed entry counts with the end of its lease or not at all.
    /// </summary>
    public DateTimeOffset? OldestDue { get; init; }
}
