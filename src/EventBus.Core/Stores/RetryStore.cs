namespace EventBus.Stores;

/// <summary>
/// Stores failed events by event id and subscription, and returns them when their retry is due. Thread-safe. A durable
/// store is shared by all instances of an application.
/// </summary>
/// <remarks>
/// <para>
/// Each call is one atomic operation, which is complete when the call returns. If a call throws, the bus retries it
/// with the same arguments, and keeps the delivery unsettled meanwhile.
/// </para>
/// <para>
/// Claims are leases with a number. Every claim of an entry has a higher number than the one before. A caller whose
/// number is no longer that of the entry changes nothing.
/// </para>
/// <para>
/// Reads never throw because of stored data. An entry that cannot be read is returned as a placeholder whose envelope
/// has a <see cref="Transports.Envelope.Defect"/>, and other entries are still returned.
/// </para>
/// <para>
/// A queue of a broker implements this class alone. A store that finds its entries by id and key derives from
/// <see cref="KeyedFailureStore"/>: ordered and guarded subscriptions need one.
/// </para>
/// </remarks>
public abstract class RetryStore
{
    /// <summary>
    /// The interval for polling for due entries that other instances added. Default 1 s; infinite if there are no other
    /// instances.
    /// </summary>
    public virtual TimeSpan PollInterval => TimeSpan.FromSeconds(1);

    /// <summary>The dead letters among the entries. Always the same instance.</summary>
    public abstract DeadLetterQueue DeadLetters { get; }

    /// <summary>Stores a failed event, in one write.</summary>
    /// <remarks>
    /// A fresh entry (<see cref="FailedEvent.Claim"/> is 0) is stored unless there is already an entry for the same
    /// event and subscription: a second copy changes nothing, whatever the status of the stored entry. A claimed entry
    /// replaces the stored one if the claim is still valid, and the claim ends. A dead entry gets a
    /// <see cref="FailedEvent.Number"/>.
    /// </remarks>
    /// <param name="entry">The failed event: waiting or dead.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>False if nothing was changed, because the event is already stored or the claim was lost.</returns>
    public abstract ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken);

    /// <summary>
    /// Takes over a redelivered event that was not settled: an earlier attempt may have ended its process. The entry is
    /// claimed later, as interrupted.
    /// </summary>
    /// <param name="entry">The event, waiting, with one attempt.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>
    /// True if the event is stored; its delivery can then be acknowledged. False, without any change, if the store
    /// counts the attempts of deliveries instead (<see cref="KeyedFailureStore.CountAttemptAsync"/>).
    /// </returns>
    public abstract ValueTask<bool> TryTakeRedeliveredAsync(FailedEvent entry, CancellationToken cancellationToken);

    /// <summary>
    /// Claims due entries for the duration of the lease, those with the earliest due time first, and counts the attempt
    /// that follows. An entry that is not settled by the end of the lease is due again and is marked as interrupted.
    /// </summary>
    /// <remarks>
    /// The claim of an interrupted entry counts no attempt, because its attempt may begin much later or never: the bus
    /// may first run other interrupted entries, which may end the process. <see cref="BeginAsync"/> counts the attempt
    /// when it begins.
    /// </remarks>
    /// <param name="subscriptions">
    /// The subscriptions whose entries the caller can run now. Entries of other subscriptions are not claimed, and do
    /// not affect the returned next due time.
    /// </param>
    /// <param name="now">The current time.</param>
    /// <param name="lease">The duration of the claim without renewal.</param>
    /// <param name="max">The maximum number of entries for each subscription.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(
        IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken);

    /// <summary>
    /// Counts the attempt that follows for a claimed, interrupted entry; or stores that the attempt became concurrent.
    /// </summary>
    /// <param name="entry">
    /// The claimed entry. Its <see cref="FailedEvent.Attempts"/> include the attempt that follows; so does
    /// <see cref="FailedEvent.Concurrent"/> if the attempt is concurrent.
    /// </param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>False if the claim was lost.</returns>
    public abstract ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken);

    /// <summary>
    /// Releases a claimed, interrupted entry whose attempt has not begun; its claim counted no attempt. Does nothing by
    /// default: the entry is due again when its lease ends.
    /// </summary>
    /// <param name="entry">The claimed entry.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public virtual ValueTask ReleaseAsync(FailedEvent entry, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <summary>Renews the leases of claims.</summary>
    /// <param name="claimed">The claimed entries.</param>
    /// <param name="until">The new end of the leases.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The ids of the entries whose claims were lost.</returns>
    public abstract ValueTask<IReadOnlyList<string>> RenewAsync(
        IReadOnlyCollection<FailedEvent> claimed, DateTimeOffset until, CancellationToken cancellationToken);

    /// <summary>Removes a claimed entry that was handled. Does nothing if the claim was lost.</summary>
    /// <param name="entry">The claimed entry.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken);

    /// <summary>Returns the number of entries, of every status.</summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<long> CountAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Returns the number of entries that are due at a time, including claimed entries. Used to wait until a bus is
    /// idle.
    /// </summary>
    /// <param name="now">The time at which the entries are due.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>
    /// Returns the numbers of entries of each subscription that has any, by status. Called every few seconds for the
    /// metrics, so it reads numbers that the store keeps and never counts its entries. Default null: not known.
    /// </summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public virtual ValueTask<IReadOnlyList<FailureCounts>?> CountByStateAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<FailureCounts>?>(null);
}
