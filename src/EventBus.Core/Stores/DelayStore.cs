using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>Stores events until the time at which they are to be published. Thread-safe.</summary>
public abstract class DelayStore
{
    /// <summary>
    /// The interval for polling for entries that other instances added. Default 1 s; infinite if there are no other
    /// instances.
    /// </summary>
    public virtual TimeSpan PollInterval => TimeSpan.FromSeconds(1);

    /// <summary>Stores an event. Storing the same id again changes nothing.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="dueAt">The time at which the event is to be published.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="InvalidOperationException">
    /// The store certainly did not accept the event: it is full, or cancelled the call before it began.
    /// </exception>
    public abstract ValueTask AddAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken cancellationToken);

    /// <summary>
    /// Claims due entries for the duration of the lease. An entry that is not removed by then is due again.
    /// </summary>
    /// <param name="now">The current time.</param>
    /// <param name="lease">The duration of the claim.</param>
    /// <param name="max">The maximum number of entries.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<DueBatch<Envelope>> ClaimDueAsync(
        DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken);

    /// <summary>Removes an entry after its event was published.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask RemoveAsync(Envelope envelope, CancellationToken cancellationToken);

    /// <summary>Lists the entries that were never claimed, in the order in which they are due.</summary>
    /// <param name="max">The maximum number of entries.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<IReadOnlyList<DelayedEvent>> ListAsync(int max, CancellationToken cancellationToken);

    /// <summary>Removes an entry, unless it was claimed before: then its event may be published already.</summary>
    /// <param name="eventId">The event's id.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>True if the entry was removed, so that its event is never published.</returns>
    public abstract ValueTask<bool> CancelAsync(string eventId, CancellationToken cancellationToken);

    /// <summary>Returns the number of entries.</summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<long> CountAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Returns the number of entries that are due at a time, including claimed entries. Used to wait until a bus is
    /// idle.
    /// </summary>
    /// <param name="now">The time at which the entries are due.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken);
}
