namespace EventBus.Stores;

/// <summary>
/// Stores failed and waiting events by event id and subscription. Thread-safe. A durable store is shared by all
/// instances of an application.
/// </summary>
/// <remarks>
/// <para>
/// Each call is one atomic operation, which is complete when the call returns. If a call throws, the bus retries it
/// with the same arguments, and keeps the delivery unsettled meanwhile.
/// </para>
/// <para>
/// Entries of a subscription with the same <see cref="FailedEvent.LineKey"/> form a line, in order of arrival. Only the
/// head is ever due. A dead head blocks the line until it is retried, discarded, or recorded again without a line key.
/// When the head leaves, the next entry becomes the head: a parked one is due at once, a waiting one at its own time,
/// and a dead one blocks the line again. The line exists while it has entries; a claimed head still counts.
/// </para>
/// <para>
/// Claims are leases with a number. Every claim of an entry has a higher number than the one before. A caller whose
/// number is no longer that of the entry changes nothing.
/// </para>
/// <para>
/// Reads never throw because of stored data. An entry that cannot be read is returned as a placeholder whose envelope
/// has a <see cref="Transports.Envelope.Defect"/>, and other entries are still returned.
/// </para>
/// </remarks>
public abstract class FailureStore
{
    // After this many consecutive failures, a count checks that the store still answers.
    private const int MostInVain = 20;

    private const int RetryPage = 1_000;

    /// <summary>
    /// The interval for polling for due entries that other instances added. Default 1 s; infinite if there are no other
    /// instances.
    /// </summary>
    public virtual TimeSpan PollInterval => TimeSpan.FromSeconds(1);

    /// <summary>
    /// True if the store finds entries by their ids and keys. False if the store is a queue of a broker. Then no
    /// subscription can be ordered or guarded, operators can only count dead letters, view the first ones and retry all
    /// of them, and nothing is removed for its age. The bus refuses to start if more is required, and calls none of the
    /// members that need it. Default true.
    /// </summary>
    public virtual bool IsKeyed => true;

    /// <summary>Stores a failed event, in one write.</summary>
    /// <remarks>
    /// A fresh entry (<see cref="FailedEvent.Claim"/> is 0) is stored unless there is already an entry for the same
    /// event and subscription: a second copy changes nothing, whatever its status. The same operation removes its
    /// counted attempts (<see cref="CountAttemptAsync"/>). A claimed entry replaces the stored one if the claim is
    /// still valid, and the claim ends. A dead entry gets a <see cref="FailedEvent.Number"/>.
    /// </remarks>
    /// <param name="entry">The failed event: waiting or dead.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>False if nothing was changed, because the event is already stored or the claim was lost.</returns>
    public abstract ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken);

    /// <summary>
    /// Counts attempts of an event that was delivered before and not settled: an earlier attempt may have ended its
    /// process.
    /// </summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="eventId">The event's id.</param>
    /// <param name="added">
    /// The numbers to add: the attempt that follows, or one concurrent attempt if the attempt in progress became
    /// concurrent. The default value adds nothing and returns the count. Without an attempt, nothing is added if no
    /// attempts are counted yet.
    /// </param>
    /// <param name="now">The current time.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>
    /// The new count. It starts with one attempt, which is not counted when it begins. Null if the event is already
    /// stored as an entry, and needs no attempt.
    /// </returns>
    public abstract ValueTask<AttemptCount?> CountAttemptAsync(string subscription, string eventId, AttemptCount added, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>
    /// Takes over a redelivered event that was not settled, if the store counts its attempts in its own way. The entry
    /// is claimed later, as interrupted. By default returns false, and the bus counts with
    /// <see cref="CountAttemptAsync"/>.
    /// </summary>
    /// <param name="entry">The event, waiting, with one attempt.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>True if the event is stored; its delivery can then be acknowledged.</returns>
    public virtual ValueTask<bool> TryTakeRedeliveredAsync(FailedEvent entry, CancellationToken cancellationToken) => ValueTask.FromResult(false);

    /// <summary>Removes the count of <see cref="CountAttemptAsync"/> after the event was handled.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="eventId">The event's id.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken);

    /// <summary>Parks an event at the end of the line of its key, if the line exists, in one operation.</summary>
    /// <param name="entry">The event, with the status <see cref="FailedEventStatus.Parked"/>.</param>
    /// <param name="limit">The maximum number of parked events in the line.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// Claims due entries for the duration of the lease, those with the earliest due time first, and counts the attempt
    /// that follows. An entry that is not settled by the end of the lease is due again and is marked as interrupted.
    /// </summary>
    /// <remarks>
    /// The claim of an interrupted entry counts no attempt: the entry waits until others were tried, and those may end
    /// the process. <see cref="BeginAsync"/> counts its attempt when it begins.
    /// </remarks>
    /// <param name="subscriptions">
    /// The subscriptions whose entries the caller can run now. Entries of other subscriptions are not claimed, and do
    /// not affect the returned next due time.
    /// </param>
    /// <param name="now">The current time.</param>
    /// <param name="lease">The duration of the claim without renewal.</param>
    /// <param name="max">The maximum number of entries for each subscription.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken);

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
    public abstract ValueTask<IReadOnlyList<string>> RenewAsync(IReadOnlyCollection<FailedEvent> claimed, DateTimeOffset until, CancellationToken cancellationToken);

    /// <summary>
    /// Removes a claimed entry that was handled; the next entry of its line becomes due. Does nothing if the claim was
    /// lost.
    /// </summary>
    /// <param name="entry">The claimed entry.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken);

    /// <summary>Lists the dead letters that match, newest first.</summary>
    /// <param name="filter">The filter.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<IReadOnlyList<FailedEvent>> ListDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken);

    /// <summary>
    /// Lists the ids and numbers of the dead letters that match, without their content, oldest first.
    /// </summary>
    /// <param name="filter">The filter, with the maximum number.</param>
    /// <param name="after">The number after which the listing begins.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<IReadOnlyList<DeadLetterPlace>> ListDeadPlacesAsync(DeadLetterFilter filter, long after, CancellationToken cancellationToken);

    /// <summary>
    /// Returns the total size in bytes of the bodies of a subscription's dead letters that could not be read
    /// (<see cref="DeadLetterReason.Unreadable"/>, <see cref="DeadLetterReason.TooLarge"/>,
    /// <see cref="DeadLetterReason.UnknownEvent"/>) and are larger than a given size. Default 0, for a store that
    /// cannot determine it: then only the size of each single body is limited.
    /// </summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="above">The size in bytes above which a body counts.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public virtual ValueTask<long> MeasureUnreadAsync(string subscription, int above, CancellationToken cancellationToken) => ValueTask.FromResult(0L);

    /// <summary>Finds a dead letter; null if there is none with this id.</summary>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<FailedEvent?> FindDeadAsync(string id, CancellationToken cancellationToken);

    /// <summary>
    /// Makes a dead letter due at once. Its attempts and its deadline are reset, and its number of manual retries
    /// increases by one. Returns false if there is no such dead letter.
    /// </summary>
    /// <remarks>
    /// In a line, the entry becomes due when it is the head. If an order guard gave the entry up
    /// (<see cref="DeadLetterReason.OutOfOrder"/>), and no entry of its subscription and order key has a lower
    /// <see cref="FailedEvent.Position"/>, the gap before the entry is skipped: the position of the key is raised to
    /// the number before that of the entry, unless it is already as high.
    /// </remarks>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="now">The current time.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<bool> RetryDeadAsync(string id, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>
    /// Retries all dead letters that match now, oldest first. Those that fail again meanwhile are not retried twice.
    /// </summary>
    /// <param name="filter">The filter; its paging is ignored.</param>
    /// <param name="now">The current time.</param>
    /// <param name="cancellationToken">Stops after the current dead letter.</param>
    /// <returns>The number of dead letters that are due again.</returns>
    /// <exception cref="EventBusException">
    /// Some dead letters could not be made due again; all others are due.
    /// </exception>
    public virtual async ValueTask<int> RetryAllDeadAsync(DeadLetterFilter filter, DateTimeOffset now, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(filter);

        // Entries that become dead letters from now on have higher numbers.
        if (await ListDeadAsync(filter with { Before = null, Take = 1 }, cancellationToken) is not [{ Number: var last }])
        {
            return 0;
        }

        var (revived, after, failed, inARow, first) = (0, 0L, 0, 0, (Exception?)null);
        for (var page = filter with { Before = last + 1, Take = RetryPage }; ;)
        {
            var places = await ListDeadPlacesAsync(page, after, cancellationToken);
            foreach (var place in places)
            {
                cancellationToken.ThrowIfCancellationRequested();
                after = place.Number;
                try
                {
                    revived += await RetryDeadAsync(place.Id, now, cancellationToken) ? 1 : 0;
                    inARow = 0;
                }
                catch (Exception exception) when (!cancellationToken.IsCancellationRequested && exception is not StoreRefusedException { Scope: StoreScope.Store })
                {
                    // The failure is assumed to concern this dead letter only.
                    failed++;
                    first ??= exception;
                    if (exception is not StoreRefusedException { Scope: StoreScope.Entry } && ++inARow == MostInVain)
                    {
                        await CountDeadAsync(page, cancellationToken);
                        inARow = 0;
                    }
                }
            }

            if (places.Count < RetryPage)
            {
                return first is null ? revived : throw new EventBusException($"{revived} dead letters are due again, and {failed} could not be retried. Those are still dead letters; the first failed with: {ExceptionText.MessageOf(first)}", first);
            }
        }
    }

    /// <summary>
    /// Removes a dead letter; the next entry of its line becomes due. Returns false if there is no such dead letter.
    /// </summary>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken);

    /// <summary>Returns the number of dead letters that match.</summary>
    /// <param name="filter">The filter; its paging is ignored.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<long> CountDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken);

    /// <summary>
    /// Claims pending alerts, oldest first, for the duration of the lease. Alerts that are not marked as sent by then
    /// are pending again.
    /// </summary>
    /// <param name="now">The current time.</param>
    /// <param name="lease">The duration of the claim.</param>
    /// <param name="max">The maximum number of alerts.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken);

    /// <summary>
    /// Marks alerts as sent. An entry that has become a dead letter again since then still needs its own alert.
    /// </summary>
    /// <param name="sent">The alerts.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask AlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken);

    /// <summary>Returns the order state of a key.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="orderKey">The key; empty for events without one.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<OrderState> GetOrderAsync(string subscription, string orderKey, CancellationToken cancellationToken);

    /// <summary>
    /// Stores an event that a guard defers, fresh or claimed, unless an event of its key was handled since the guard's
    /// decision.
    /// </summary>
    /// <remarks>A deferred entry is in no line: a claimed entry leaves its line.</remarks>
    /// <param name="entry">
    /// The event, with the status <see cref="FailedEventStatus.Deferred"/>, an order key and a deadline. It is due at
    /// <see cref="FailedEvent.DueAt"/>, or when <see cref="AdvanceAsync"/> makes it due.
    /// </param>
    /// <param name="stamp">The stamp that the guard's decision was based on.</param>
    /// <param name="limit">The maximum number of deferred events of a key.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<DeferOutcome> DeferAsync(FailedEvent entry, long stamp, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// Records that an event of a key was settled. Increases the key's stamp, and raises its position if the given one
    /// is higher. Makes deferred entries of the key due: all those without a position, and of the others the one with
    /// the lowest position.
    /// </summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="orderKey">The key; empty for events without one.</param>
    /// <param name="position">The event's number; null if the guard does not use numbers.</param>
    /// <param name="now">The current time.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>True if an entry was made due.</returns>
    public abstract ValueTask<bool> AdvanceAsync(string subscription, string orderKey, long? position, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>
    /// Removes expired data. Dead letters are removed as by <see cref="DiscardAsync"/>. Order keys with deferred
    /// entries stay.
    /// </summary>
    /// <param name="limits">The ages from which data is removed.</param>
    /// <param name="max">The maximum number of each kind.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The number of dead letters that were removed.</returns>
    public abstract ValueTask<int> SweepAsync(SweepLimits limits, int max, CancellationToken cancellationToken);

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
}
