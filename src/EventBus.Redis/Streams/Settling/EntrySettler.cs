using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Settles the entries that a receiver holds: adds handled entries to the acknowledgement queue of their stream,
/// handles releases and losses, and releases the remaining entries when the receiver closes. Thread-safe.
/// </summary>
/// <remarks>
/// An unseen entry is pending for this consumer, but is not held: Redis delivered it in an answer that was lost or not
/// processed.
/// </remarks>
/// <param name="consumer">The consumer.</param>
/// <param name="entries">The entries that are held.</param>
/// <param name="close">Ends the acknowledgements. Entries that are not yet acknowledged stay pending.</param>
internal abstract class EntrySettler(RedisConsumer consumer, UnackedEntries entries, CancellationToken close)
{
    /// <summary>The timeout of each step of closing a receiver.</summary>
    public static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    // The maximum number of pending entries of a stream that are searched for unseen ones.
    private const int MaxSearched = 10_000;

    // One queue for each stream, so that a stream whose entries cannot be acknowledged does not delay others.
    private readonly Dictionary<RedisKey, (RedisAckQueue Queue, Task Running)> ackQueues = [];
    private readonly Lock acksGate = new();
    private bool areAcksComplete;

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem
    {
        get
        {
            lock (acksGate)
            {
                return ackQueues.Values.Select(each => each.Queue.Problem).FirstOrDefault(each => each is not null);
            }
        }
    }

    protected RedisConsumer Consumer => consumer;

    protected UnackedEntries Entries => entries;

    /// <summary>
    /// Acknowledges a handled entry, unless its ownership has ended. After <see cref="CompleteAcksAsync"/> the entry
    /// stays pending.
    /// </summary>
    public virtual void Acknowledge(UnackedEntry entry)
    {
        if (!entry.TrySettle())
        {
            return;
        }

        lock (acksGate)
        {
            if (areAcksComplete)
            {
                return;
            }

            if (!ackQueues.TryGetValue(entry.Stream, out var running))
            {
                var queue = new RedisAckQueue(entry.Stream, consumer, entries);
                running = (queue, queue.RunAsync(close));
                ackQueues.Add(entry.Stream, running);
            }

            running.Queue.Add(entry);
        }
    }

    /// <summary>Takes no further entries for acknowledgement.</summary>
    /// <returns>A task that completes when all handled entries are acknowledged.</returns>
    public Task CompleteAcksAsync()
    {
        lock (acksGate)
        {
            areAcksComplete = true;
            foreach (var each in ackQueues.Values)
            {
                each.Queue.Complete();
            }

            return Task.WhenAll(ackQueues.Values.Select(each => each.Running));
        }
    }

    /// <summary>Handles the release of an entry by the bus.</summary>
    public abstract ValueTask ReleaseAsync(UnackedEntry entry);

    /// <summary>Ends the ownership of entries that another consumer owns or may own, or that no longer exist.</summary>
    public virtual void EndOwnership(IEnumerable<UnackedEntry> lost) => LoseUnsettled(lost);

    /// <summary>
    /// Handles that missing groups were created again: no consumer owns the entries that were delivered before.
    /// </summary>
    public virtual void GroupsRecreated()
    {
    }

    /// <summary>
    /// Prepares the stop of the reading. An entry that is released from now on is not delivered here again.
    /// </summary>
    public virtual void StopIntake()
    {
    }

    /// <summary>
    /// Releases the entries whose deliveries the bus has not read from the channel, after the reading has stopped. The
    /// deliveries that it has read can still be settled.
    /// </summary>
    public abstract Task StopAsync();

    /// <summary>
    /// Releases entries, so that any instance claims them at once. If that fails, they are claimed after
    /// <see cref="RedisConsumer.ClaimAfter"/>.
    /// </summary>
    public async Task ReleaseToGroupAsync(IReadOnlyList<UnackedEntry> entriesToRelease)
    {
        foreach (var entry in entriesToRelease)
        {
            entries.Remove(entry);
        }

        try
        {
            var released = entriesToRelease
                .GroupBy(entry => entry.Stream)
                .Select(stream => consumer.Group.ReleaseAsync(stream.Key, stream.Select(entry => (entry.Id, entry.Deliveries))));
            await Task.WhenAll(released).WaitAsync(CloseTimeout, consumer.Time);
        }
        catch (Exception exception)
        {
            consumer.Log.NotReleased(consumer.Subscription.Name, consumer.ClaimAfter, exception);
        }
    }

    /// <summary>Releases the unseen entries.</summary>
    public Task ReleaseUnseenAsync() => Task.WhenAll(consumer.Group.Streams.Select(ReleaseUnseenAsync));

    /// <summary>
    /// Removes the deliveries that the bus has not read from the channel, and returns their entries. These deliveries
    /// do not count for the next owner.
    /// </summary>
    protected UnackedEntry[] RemoveUnstarted()
    {
        var buffered = entries.Drain();
        UnackedEntry[] unstarted = [.. entries.ToArray().Where(entry => buffered.Contains(entry.Envelope))];
        foreach (var entry in unstarted)
        {
            entry.MayHaveStarted = false;
        }

        return unstarted;
    }

    /// <summary>Ends the ownership of entries, except of those that are settled.</summary>
    /// <returns>The number of entries that were not settled.</returns>
    protected int LoseUnsettled(IEnumerable<UnackedEntry> lost)
    {
        var unsettled = 0;
        foreach (var entry in lost)
        {
            // A settled entry stays: it is handled, and its acknowledgement is in transit.
            if (entry.EndOwnership())
            {
                unsettled++;
                entries.Remove(entry);
            }
        }

        if (unsettled > 0)
        {
            consumer.Log.DeliveriesLost(unsettled, consumer.Subscription.Name);
        }

        return unsettled;
    }

    private async Task ReleaseUnseenAsync(RedisKey stream)
    {
        try
        {
            var held = entries.IdsOf(stream);
            var pending = await consumer.Group.PendingAsync(stream, null, null, MaxSearched);

            // The delivery in the lost answer does not count.
            var unseen = pending
                .Where(each => !held.Contains(each.MessageId) && !RedisGroup.IsReleased(each))
                .Select(each => (each.MessageId, Math.Max(0L, each.DeliveryCount - 1)))
                .ToArray();
            if (unseen.Length > 0)
            {
                await consumer.Group.ReleaseAsync(stream, unseen);
            }
        }
        catch (RedisServerException)
        {
            // The stream no longer exists, or the key or the rights to it have changed: there is nothing to release.
            // The other streams and the lease are still released.
        }
    }
}
