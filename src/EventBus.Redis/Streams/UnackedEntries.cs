using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Holds the entries that a receiver owns, from arrival until their acknowledgement has reached Redis. Thread-safe.
/// </summary>
internal sealed class UnackedEntries
{
    private readonly Lock gate = new();
    private readonly Dictionary<Place, UnackedEntry> entries = [];

    // At most one waiter: the read loop. Null while there is none.
    private TaskCompletionSource? changed;

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

    public bool TryAdd(UnackedEntry entry)
    {
        lock (gate)
        {
            return entries.TryAdd(PlaceOf(entry), entry);
        }
    }

    /// <summary>Replaces an entry by its next delivery; false if the entry was lost in the meantime.</summary>
    public bool TryReplace(UnackedEntry before, UnackedEntry next)
    {
        lock (gate)
        {
            if (!entries.TryGetValue(PlaceOf(before), out var current) || current != before)
            {
                return false;
            }

            entries[PlaceOf(before)] = next;
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
                if (entries.TryGetValue(PlaceOf(entry), out var current) && current == entry)
                {
                    entries.Remove(PlaceOf(entry));
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

    private static Place PlaceOf(UnackedEntry entry) => new(entry.Stream, entry.Position);

    private readonly record struct Place(RedisKey Stream, RedisStreamId Id)
    {
        // Two streams rarely have the same id.
        public override int GetHashCode() => Id.GetHashCode();
    }
}
