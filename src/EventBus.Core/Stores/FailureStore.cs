namespace EventBus.Stores;

/// <summary>Keeps what failed, as (event id, subscription): waiting for a retry, dead, or parked behind a failed event of its key. Thread-safe.</summary>
/// <remarks>
/// Entries of an ordered subscription that share a key form a line in the order in which they came: only the head is ever due, and a dead head blocks the line until it is
/// retried or discarded. The line exists while it has entries; a claimed head still counts.
/// A call that cannot reach the store throws: the bus then keeps the delivery and tries again.
/// </remarks>
public abstract class FailureStore
{
    /// <summary>How often to look for due entries that other instances added. Default 1 s; infinite where there are no others.</summary>
    public virtual TimeSpan PollInterval => TimeSpan.FromSeconds(1);

    /// <summary>Keeps a failed event, in one write. Recording the same event and subscription again replaces the entry.</summary>
    /// <param name="entry">The failed event.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask RecordAsync(FailedEvent entry, CancellationToken cancellationToken);

    /// <summary>Parks an event at the end of its key's line if there is one, in one step.</summary>
    /// <param name="entry">The event, with the status <see cref="FailedEventStatus.Parked"/>.</param>
    /// <param name="limit">The length up to which the line takes parked events.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken);

    /// <summary>Takes due entries for the length of the lease and counts the start that follows. An entry that is not settled by then is due again.</summary>
    /// <param name="subscriptions">The subscriptions whose entries the caller can run now. What is due for others is left alone, and does not count for the next time.</param>
    /// <param name="now">The time.</param>
    /// <param name="lease">How long the caller may need.</param>
    /// <param name="max">How many at most for each subscription.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken);

    /// <summary>Removes a claimed entry that was handled; the next of its line becomes due.</summary>
    /// <param name="entry">The claimed entry.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken);

    /// <summary>The dead letters that match, newest first.</summary>
    /// <param name="filter">Which ones.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<IReadOnlyList<FailedEvent>> ListDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken);

    /// <summary>One dead letter, or null.</summary>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<FailedEvent?> FindDeadAsync(string id, CancellationToken cancellationToken);

    /// <summary>Makes a dead letter due at once, with a fresh budget. False when there is no such dead letter (any more).</summary>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="now">The time.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<bool> ReviveAsync(string id, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>Removes a dead letter; the next of its line becomes due. False when there is no such dead letter (any more).</summary>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken);

    /// <summary>How many dead letters match.</summary>
    /// <param name="filter">Which ones; its paging is ignored.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<long> CountDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken);

    /// <summary>How many entries it holds, of every status.</summary>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<long> CountAsync(CancellationToken cancellationToken);

    /// <summary>How many entries are due at a time, claimed ones included. Used for waiting until a bus is idle.</summary>
    /// <param name="now">The time.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken);
}

/// <summary>What <see cref="FailureStore.TryParkAsync"/> did.</summary>
public enum ParkOutcome
{
    /// <summary>No earlier event of the key failed: handle it.</summary>
    NotBlocked,

    /// <summary>It waits behind the failed event.</summary>
    Parked,

    /// <summary>The line is full: it belongs to the dead letters, at the end of the line.</summary>
    LineFull,
}
