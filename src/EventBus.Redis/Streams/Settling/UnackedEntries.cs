using System.Threading.Channels;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Holds the entries that a receiver owns, from arrival until their acknowledgement has reached Redis, and offers their
/// deliveries to the bus. Thread-safe.
/// </summary>
internal sealed class UnackedEntries
{
    private readonly Lock gate = new();
    private readonly Dictionary<EntryKey, UnackedEntry> entries = [];

    // Needs no bound, because the number of entries that are held is limited (RedisConsumer.Capacity).
    private readonly Channel<Delivery> deliveries = Channel.CreateUnbounded<Delivery>();

    // The next removal, for which only the read loop waits. Null while it does not wait.
    private TaskCompletionSource? nextRemoval;

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
            nextRemoval ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
            return nextRemoval.Task;
        }
    }

    /// <summary>Waits until fewer entries than the capacity are held.</summary>
    /// <returns>The number of entries that can be added.</returns>
    public async Task<int> WaitForRoomAsync(int capacity, CancellationToken stop)
    {
        while (true)
        {
            var removal = NextRemoval();
            var room = capacity - Count;
            if (room > 0)
            {
                return room;
            }

            await removal.WaitAsync(stop);
        }
    }

    /// <summary>
    /// Gets the ids of the entries of a stream that are held. Call it before a request is sent, to know which entries
    /// of the answer are not new: one of them may be acknowledged and removed while the answer is in transit.
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
    /// is not added: it stays pending, and is released with the unseen entries (see <see cref="EntryReleaser"/>).
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

    /// <summary>Replaces an entry by its next delivery; false if the entry is no longer held.</summary>
    public bool TryReplace(UnackedEntry released, UnackedEntry next)
    {
        lock (gate)
        {
            if (!entries.TryGetValue(KeyOf(released), out var held) || held != released)
            {
                return false;
            }

            entries[KeyOf(released)] = next;
            return true;
        }
    }

    /// <summary>Removes entries, except those that were replaced by their next delivery.</summary>
    public void Remove(params ReadOnlySpan<UnackedEntry> settled)
    {
        TaskCompletionSource? removal;
        lock (gate)
        {
            foreach (var entry in settled)
            {
                // Usually the entry itself is held, so that it is looked up once.
                if (entries.Remove(KeyOf(entry), out var held) && held != entry)
                {
                    entries.Add(KeyOf(held), held);
                }
            }

            removal = nextRemoval;
            nextRemoval = null;
        }

        removal?.SetResult();
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
        // The id alone is enough: two streams rarely contain the same one.
        public override int GetHashCode() => Id.GetHashCode();
    }
}
