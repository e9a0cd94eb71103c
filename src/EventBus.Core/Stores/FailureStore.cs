namespace EventBus.Stores;

/// <summary>Keeps what failed or waits for its turn, as (event id, subscription). Thread-safe, and shared by all instances of an application where it is durable.</summary>
/// <remarks>
/// <para>A call is one atomic step: it has happened completely once it returns, and a call that throws is tried again by the bus with the same arguments. The bus keeps the delivery meanwhile.</para>
/// <para>Entries that share a <see cref="FailedEvent.LineKey"/> within a subscription form a line in the order in which they came: only the head is ever due, and a dead head blocks the
/// line until it is revived, discarded, or recorded again without a line key. When the head leaves, the next becomes due: a parked one at once, a waiting one at its own time; a dead one
/// blocks in its turn. The line exists while it has entries; a claimed head still counts.</para>
/// <para>Claims are leases with a number: every claim of an entry has a higher one, and a caller whose number is no longer the entry's changes nothing.</para>
/// <para>Reading never throws because of what is stored: an entry that cannot be read comes as a placeholder whose envelope says so in <see cref="Transports.Envelope.Defect"/>, and never hides the rest.</para>
/// </remarks>
public abstract class FailureStore
{
    // After so many failures in a row the store is asked whether it answers at all.
    private const int MostInVain = 20;

    private const int RetryPage = 1_000;

    /// <summary>How often to look for due entries that other instances added. Default 1 s; infinite where there are no others.</summary>
    public virtual TimeSpan PollInterval => TimeSpan.FromSeconds(1);

    /// <summary>
    /// Finds entries by their ids and keys. False where it is a queue of a broker: then no subscription can be ordered or guarded, people can count dead letters, look at the first, and retry all of them, and nothing is
    /// removed for its age. The bus refuses at the start what asks for more, and calls none of the members that need it. Default true.
    /// </summary>
    public virtual bool IsKeyed => true;

    /// <summary>Keeps a failed event, in one write.</summary>
    /// <remarks>
    /// A fresh one (<see cref="FailedEvent.Claim"/> is 0) is kept unless the same event and subscription is kept already: a second copy changes nothing, whatever its status. Its counted
    /// starts (<see cref="CountAttemptAsync"/>) are forgotten in the same step. A claimed one replaces its entry while the claim holds, and its claim ends. An entry that is dead gets a <see cref="FailedEvent.Number"/>.
    /// </remarks>
    /// <param name="entry">The failed event: waiting or dead.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>False when nothing was changed: it is kept already, or the claim was lost.</returns>
    public abstract ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken);

    /// <summary>Counts starts of an event that was handed out before and not settled: it may have ended its process.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="eventId">The event's id.</param>
    /// <param name="added">What is added: a start that follows, or that the start which is running became an accompanied one. The default adds nothing and asks for the count. Without a start, nothing is added where nothing is counted.</param>
    /// <param name="now">The time.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>The count with what was added. It begins with one start, which is not counted when it is made. Null when the event is kept as an entry already, and needs no start.</returns>
    public abstract ValueTask<AttemptCount?> CountAttemptAsync(string subscription, string eventId, AttemptCount added, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>Takes over an event that was handed out before and not settled, where the store counts its starts in a way of its own. It is claimed later, as interrupted. Default: no, the bus counts with <see cref="CountAttemptAsync"/>.</summary>
    /// <param name="entry">The event, waiting, with one start.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>Whether it is kept, and the delivery is done with.</returns>
    public virtual ValueTask<bool> TryTakeRedeliveredAsync(FailedEvent entry, CancellationToken cancellationToken) => ValueTask.FromResult(false);

    /// <summary>Forgets what <see cref="CountAttemptAsync"/> counted: the event was handled.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="eventId">The event's id.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken);

    /// <summary>Parks an event at the end of its key's line if there is one, in one step.</summary>
    /// <param name="entry">The event, with the status <see cref="FailedEventStatus.Parked"/>.</param>
    /// <param name="limit">The number of parked events that the line takes.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken);

    /// <summary>Takes due entries for the length of the lease, the longest due first, and counts the start that follows. An entry that is not settled by then is due again, and marked as interrupted.</summary>
    /// <remarks>The claim of an interrupted entry counts no start: it waits until others were tried, which may end the process. <see cref="BeginAsync"/> counts it when its turn has come.</remarks>
    /// <param name="subscriptions">The subscriptions whose entries the caller can run now. What is due for others is left alone, and does not count for the next time.</param>
    /// <param name="now">The time.</param>
    /// <param name="lease">How long the caller holds them without renewing.</param>
    /// <param name="max">How many at most for each subscription.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken);

    /// <summary>Counts the start that follows, of a claimed entry that was interrupted; or keeps that the start became an accompanied one.</summary>
    /// <param name="entry">The claimed entry, with the start that follows among its <see cref="FailedEvent.Attempts"/>, and among its <see cref="FailedEvent.Concurrent"/> if it is one.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>False when the claim was lost.</returns>
    public abstract ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken);

    /// <summary>Gives back a claimed entry that was interrupted and that nobody began: its claim counted no start. Default: nothing, it is due again when its lease ends.</summary>
    /// <param name="entry">The claimed entry.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public virtual ValueTask ReleaseAsync(FailedEvent entry, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <summary>Prolongs claims.</summary>
    /// <param name="claimed">Claimed entries.</param>
    /// <param name="until">When the lease ends now.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>The ids of those that are no longer the caller's.</returns>
    public abstract ValueTask<IReadOnlyList<string>> RenewAsync(IReadOnlyCollection<FailedEvent> claimed, DateTimeOffset until, CancellationToken cancellationToken);

    /// <summary>Removes a claimed entry that was handled; the next of its line becomes due. Nothing happens when the claim was lost.</summary>
    /// <param name="entry">The claimed entry.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken);

    /// <summary>The dead letters that match, the latest first.</summary>
    /// <param name="filter">Which ones.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<IReadOnlyList<FailedEvent>> ListDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken);

    /// <summary>The ids and numbers of the dead letters that match, without what they hold, the oldest first.</summary>
    /// <param name="filter">Which ones, and how many.</param>
    /// <param name="after">Only those with a higher number.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<IReadOnlyList<DeadLetterPlace>> ListDeadPlacesAsync(DeadLetterFilter filter, long after, CancellationToken cancellationToken);

    /// <summary>How many bytes the bodies of a subscription's dead letters have that could not be read (<see cref="DeadLetterReason.Unreadable"/>, <see cref="DeadLetterReason.TooLarge"/>, <see cref="DeadLetterReason.UnknownEvent"/>) and are larger than a size. Default 0, for a store that cannot tell: then only single bodies have a bound.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="above">The size in bytes above which a body counts.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public virtual ValueTask<long> MeasureUnreadAsync(string subscription, int above, CancellationToken cancellationToken) => ValueTask.FromResult(0L);

    /// <summary>One dead letter, or null.</summary>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<FailedEvent?> FindDeadAsync(string id, CancellationToken cancellationToken);

    /// <summary>Makes a dead letter due at once, with a fresh budget: no starts, no deadline, one more replay. False when there is no such dead letter (any more).</summary>
    /// <remarks>
    /// In a line it becomes due when it is the head. When a guard had given it up (<see cref="DeadLetterReason.OutOfOrder"/>), and no entry of its subscription and order key has a lower
    /// <see cref="FailedEvent.Position"/>, the gap before it is given up: the key's position becomes the one before it, if it is lower.
    /// </remarks>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="now">The time.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<bool> RetryDeadAsync(string id, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>Revives every dead letter that matches now, the oldest first; what fails again meanwhile is not taken twice.</summary>
    /// <param name="filter">Which ones; its paging is ignored.</param>
    /// <param name="now">The time.</param>
    /// <param name="cancellationToken">Stops after the current one.</param>
    /// <returns>How many were revived.</returns>
    /// <exception cref="EventBusException">Some could not be revived, and all others were.</exception>
    public virtual async ValueTask<int> RetryAllDeadAsync(DeadLetterFilter filter, DateTimeOffset now, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(filter);

        // What dies from now on has a higher number.
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
                    // It concerns this one, as far as can be seen.
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
                return first is null ? revived : throw new EventBusException($"{revived} dead letters are due again, and {failed} could not be revived. They are dead letters still; the first failed with: {ExceptionText.MessageOf(first)}", first);
            }
        }
    }

    /// <summary>Removes a dead letter; the next of its line becomes due. False when there is no such dead letter (any more).</summary>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken);

    /// <summary>How many dead letters match.</summary>
    /// <param name="filter">Which ones; its paging is ignored.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<long> CountDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken);

    /// <summary>Takes alerts that are to be sent, the oldest first, for the length of the lease: those that are not settled by then are to be sent again.</summary>
    /// <param name="now">The time.</param>
    /// <param name="lease">How long the caller may need.</param>
    /// <param name="max">How many at most.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken);

    /// <summary>Marks alerts as sent. An entry that has died again since then still needs its own.</summary>
    /// <param name="sent">The alerts.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask AlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken);

    /// <summary>What an order guard knows of a key.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="orderKey">The key; empty for events without one.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<OrderState> GetOrderAsync(string subscription, string orderKey, CancellationToken cancellationToken);

    /// <summary>Keeps an event that a guard lets wait, fresh or claimed, unless something of its key has happened since the guard looked.</summary>
    /// <remarks>It stands in no line: a claimed entry that stood in one leaves it.</remarks>
    /// <param name="entry">The event, with the status <see cref="FailedEventStatus.Deferred"/>, an order key and a deadline. It is due at <see cref="FailedEvent.DueAt"/>, or when <see cref="AdvanceAsync"/> wakes it.</param>
    /// <param name="stamp">The stamp that the guard saw.</param>
    /// <param name="limit">How many deferred events a key takes.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<DeferOutcome> DeferAsync(FailedEvent entry, long stamp, int limit, CancellationToken cancellationToken);

    /// <summary>Says that an event of a key was dealt with: raises the key's stamp, and its position if the given one is higher; and makes its deferred entries due: those without a position, and of the others the one with the lowest.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="orderKey">The key; empty for events without one.</param>
    /// <param name="position">The event's number; null where the guard does not count.</param>
    /// <param name="now">The time.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>Whether an entry was made due.</returns>
    public abstract ValueTask<bool> AdvanceAsync(string subscription, string orderKey, long? position, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>Removes what nobody needs any more. Dead letters leave as if they were discarded. Order keys with deferred entries stay.</summary>
    /// <param name="limits">What is old enough.</param>
    /// <param name="max">How many of each kind at most.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>How many dead letters were removed.</returns>
    public abstract ValueTask<int> SweepAsync(SweepLimits limits, int max, CancellationToken cancellationToken);

    /// <summary>How many entries it holds, of every status.</summary>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<long> CountAsync(CancellationToken cancellationToken);

    /// <summary>How many entries are due at a time, claimed ones included. Used for waiting until a bus is idle.</summary>
    /// <param name="now">The time.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken);
}
