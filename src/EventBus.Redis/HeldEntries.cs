using StackExchange.Redis;

namespace EventBus;

/// <summary>What a receiver owns: from arrival until the acknowledgement has reached Redis. Thread-safe.</summary>
internal sealed class HeldEntries
{
    private readonly Lock gate = new();
    private readonly Dictionary<(RedisKey Stream, RedisValue Id), HeldEntry> entries = [];

    // One waiter at most: the loop that reads. Null while nobody asked.
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

    public bool Contains(RedisKey stream, RedisValue id)
    {
        lock (gate)
        {
            return entries.ContainsKey((stream, id));
        }
    }

    public bool TryAdd(HeldEntry entry)
    {
        lock (gate)
        {
            return entries.TryAdd((entry.Stream, entry.Id), entry);
        }
    }

    /// <summary>Puts the next delivery of an entry in the place of the one before; false if the entry was lost meanwhile.</summary>
    public bool TryReplace(HeldEntry before, HeldEntry next)
    {
        lock (gate)
        {
            if (!entries.TryGetValue((before.Stream, before.Id), out var current) || current != before)
            {
                return false;
            }

            entries[(before.Stream, before.Id)] = next;
            return true;
        }
    }

    public void Remove(HeldEntry entry)
    {
        TaskCompletionSource? waiting;
        lock (gate)
        {
            if (entries.TryGetValue((entry.Stream, entry.Id), out var current) && current == entry)
            {
                entries.Remove((entry.Stream, entry.Id));
            }

            (waiting, changed) = (changed, null);
        }

        waiting?.SetResult();
    }

    public HeldEntry[] ToArray()
    {
        lock (gate)
        {
            return [.. entries.Values];
        }
    }
}
