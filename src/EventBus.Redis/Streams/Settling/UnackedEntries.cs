using System.Threading.Channels;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Holds the entries that a receiver owns, from arrival until their acknowledgement has reached Redis, and offers their
/// deliveries to the bus. Their number bounds all channels. Thread-safe.
/// </summary>
internal sealed class UnackedEntries
{
    private readonly Lock gate = new();
    private readonly Dictionary<EntryKey, UnackedEntry> entries = [];
    private readonly Channel<Delivery> deliveries = Channel.CreateUnbounded<Delivery>();

    // The signal for the read loop, which is the only waiter. Null while it does not wait.
    private TaskCompletionSource? changed;

    /// <summary>The deliveries that the bus has not taken yet.</summary>
    public ChannelReader<Delivery> Deliveries => deliveries.Reader;

    public int Count
    {
        get
        {
            lock (gate)
            {
                return entries.Count;
            }
        }
    }

    /// <summary>Completes at the next removal after the call.</summary>
    public Task NextRemoval()
    {
        lock (gate)
        {
            return (changed ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    /// <summary>
    /// Gets the ids owned in a stream. Taken before a request is sent, the set shows which entries of the answer are
    /// already known: one of them may be acknowledged while the answer is in transit.
    /// </summary>
    public HashSet<RedisValue> IdsOf(RedisKey stream)
    {
        lock (gate)
        {
            return [.. entries.Values.Where(entry => entry.Stream == stream).Select(entry => entry.Id)];
        }
    }

    /// <summary>
    /// Adds an entry and offers its delivery, unless the entry is already held. After the intake has stopped, the entry
    /// is not added: it stays pending, and is released together with the entries that were not seen.
    /// </summary>
    public void AddAndDeliver(UnackedEntry entry)
    {
        lock (gate)
        {
            if (!entries.TryAdd(KeyOf(entry), entry))
            {
                return;
            }
        }

        if (!TryDeliver(entry))
        {
            Remove(entry);
        }
    }

    /// <summary>Offers the delivery of an entry to the bus.</summary>
    /// <returns>True if the bus will receive the entry; false after the intake has stopped.</returns>
    public bool TryDeliver(UnackedEntry entry) => deliveries.Writer.TryWrite(entry.ToDelivery());

    /// <summary>
    /// Removes the deliveries that the bus has not taken yet from the channel, and returns their envelopes.
    /// </summary>
    public HashSet<Envelope> Drain()
    {
        var buffered = new HashSet<Envelope>();
        while (deliveries.Reader.TryRead(out var delivery))
        {
            buffered.Add(delivery.Envelope);
        }

        return buffered;
    }

    /// <summary>Offers no further deliveries.</summary>
    public void StopIntake() => deliveries.Writer.TryComplete();

    /// <summary>Replaces an entry by its next delivery; false if the entry was lost in the meantime.</summary>
    public bool TryReplace(UnackedEntry before, UnackedEntry next)
    {
        lock (gate)
        {
            if (!entries.TryGetValue(KeyOf(before), out var current) || current != before)
            {
                return false;
            }

            entries[KeyOf(before)] = next;
            return true;
        }
    }

    public void Remove(params ReadOnlySpan<UnackedEntry> gone)
    {
        TaskCompletionSource? waiting;
        lock (gate)
        {
            foreach (var entry in gone)
            {
                if (entries.TryGetValue(KeyOf(entry), out var current) && current == entry)
                {
                    entries.Remove(KeyOf(entry));
                }
            }

            (waiting, changed) = (changed, null);
        }

        waiting?.SetResult();
    }

    public UnackedEntry[] ToArray()
    {
        lock (gate)
        {
            return [.. entries.Values];
        }
    }

    private static EntryKey KeyOf(UnackedEntry entry) => new(entry.Stream, entry.Position);

    private readonly record struct EntryKey(RedisKey Stream, RedisStreamId Id)
    {
        // Two streams rarely have the same id.
        public override int GetHashCode() => Id.GetHashCode();
    }
}
