using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Settles the entries that a receiver holds: adds handled entries to the acknowledgement queue of their stream, and
/// handles releases and losses. Thread-safe.
/// </summary>
/// <param name="consumer">The consumer.</param>
/// <param name="entries">The entries that are held.</param>
/// <param name="close">Ends the acknowledgements. Entries that are not yet acknowledged stay pending.</param>
internal abstract class EntrySettler(RedisConsumer consumer, UnackedEntries entries, CancellationToken close)
{
    /// <summary>The timeout of each step of closing a receiver.</summary>
    public static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

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

        // Outside the lock, because the queue may send the acknowledgement at once.
        QueueOf(entry.Stream)?.Add(entry);
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

    /// <summary>Gets the queue of a stream, and starts it if it is new. Null after the last acknowledgement.</summary>
    private RedisAckQueue? QueueOf(RedisKey stream)
    {
        lock (acksGate)
        {
            if (areAcksComplete)
            {
                return null;
            }

            if (!ackQueues.TryGetValue(stream, out var running))
            {
                var queue = new RedisAckQueue(stream, consumer, entries);
                running = (queue, queue.RunAsync(close));
                ackQueues.Add(stream, running);
            }

            return running.Queue;
        }
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
}
