namespace EventBus.Stores;

/// <summary>
/// Stores which events an idempotent subscription has handled. Thread-safe. A durable store is shared by all instances
/// of an application.
/// </summary>
/// <remarks>
/// A key is claimed with a lease before the handler runs, and completed after it. Only a completed key suppresses a
/// copy. The next caller takes over a claim whose lease has expired and gets a higher fencing token; the previous owner
/// can then no longer complete, renew or release it. If a call throws, the bus retries it with the same arguments.
/// </remarks>
public abstract class ProcessedEventStore
{
    /// <summary>
    /// True if <see cref="CompleteAsync"/> runs effects in the transaction that marks the key as done. Default false.
    /// </summary>
    public virtual bool SupportsTransactions => false;

    /// <summary>Claims a key, or reports that another caller holds it or that it is done, in one operation.</summary>
    /// <param name="key">The key of the event.</param>
    /// <param name="fingerprint">The fingerprint of the content; 0 for unknown. It is stored with the claim.</param>
    /// <param name="now">The current time.</param>
    /// <param name="lease">The duration of the claim without renewal.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<ProcessedClaim> ClaimAsync(
        ProcessedKey key,
        long fingerprint,
        DateTimeOffset now,
        TimeSpan lease,
        CancellationToken cancellationToken);

    /// <summary>Renews the lease of a claim. Returns false if the claim was lost.</summary>
    /// <param name="key">The key.</param>
    /// <param name="fencingToken">The fencing token of the claim.</param>
    /// <param name="until">The new end of the lease.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<bool> RenewAsync(
        ProcessedKey key, long fencingToken, DateTimeOffset until, CancellationToken cancellationToken);

    /// <summary>
    /// Marks a claimed key as done, stores the events that its handler published, and runs the effects, in one
    /// transaction: all or nothing. Returns false, without any change, if the claim was lost.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="fencingToken">The fencing token of the claim.</param>
    /// <param name="completion">The data and effects to commit.</param>
    /// <param name="cancellationToken">Cancels the wait, and is passed to the effects.</param>
    /// <exception cref="EffectException">
    /// An effect failed and nothing was committed. The attempt of the handler has failed; the bus does not retry the
    /// call.
    /// </exception>
    public abstract ValueTask<bool> CompleteAsync(
        ProcessedKey key, long fencingToken, Completion completion, CancellationToken cancellationToken);

    /// <summary>Removes the events that are stored with a done key, after they were sent.</summary>
    /// <param name="key">The key.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask MarkDispatchedAsync(ProcessedKey key, CancellationToken cancellationToken);

    /// <summary>
    /// Releases a claim: the next caller can claim the key at once. Does nothing if the claim was lost.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="fencingToken">The fencing token of the claim.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask ReleaseAsync(ProcessedKey key, long fencingToken, CancellationToken cancellationToken);

    /// <summary>
    /// Removes done keys whose retention has ended, unless their events were not sent yet. Also removes claims whose
    /// lease expired more than a day ago, because no caller takes them over any longer.
    /// </summary>
    /// <param name="now">The current time.</param>
    /// <param name="max">The maximum number to remove.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The number of keys and claims that were removed.</returns>
    public abstract ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken);

    /// <summary>Returns the number of keys, claimed and done.</summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<long> CountAsync(CancellationToken cancellationToken);
}
