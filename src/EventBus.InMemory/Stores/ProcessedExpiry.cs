namespace EventBus;

/// <summary>Holds the order in which the entries of a <see cref="ProcessedTable"/> expire. Not thread-safe.</summary>
internal sealed class ProcessedExpiry(ProcessedSegments entries)
{
    // The entries that may expire, as a linked list ordered by expiry: a subscription has one retention, so most
    // entries are appended. An entry that expires earlier than its predecessor (concurrent handlers, a late dispatch, a
    // clock that was set back) goes into the priority queue.
    private readonly PriorityQueue<int, long> expiringEarlier = new();
    private int firstToExpire = ProcessedEntry.None;
    private int lastToExpire = ProcessedEntry.None;

    /// <summary>
    /// The index of the entry that expires first; <see cref="ProcessedEntry.None"/> if none may expire.
    /// </summary>
    public int First => IsFirstInQueue ? expiringEarlier.Peek() : firstToExpire;

    // True if the entry that expires first is in the priority queue instead of the linked list.
    private bool IsFirstInQueue =>
        expiringEarlier.TryPeek(out _, out var until)
            && (firstToExpire == ProcessedEntry.None || until < entries[firstToExpire].Until);

    /// <summary>Adds an entry that is done, and expires at the end of its retention.</summary>
    public void Add(int index)
    {
        var until = entries[index].Until;
        if (lastToExpire == ProcessedEntry.None)
        {
            firstToExpire = index;
            lastToExpire = index;
        }
        else if (until >= entries[lastToExpire].Until)
        {
            entries[lastToExpire].NextToExpire = index;
            lastToExpire = index;
        }
        else
        {
            expiringEarlier.Enqueue(index, until);
        }
    }

    /// <summary>Takes the entry that expires first out of the order, and returns its index.</summary>
    public int TakeFirst()
    {
        if (IsFirstInQueue)
        {
            return expiringEarlier.Dequeue();
        }

        var index = firstToExpire;
        firstToExpire = entries[index].NextToExpire;
        if (firstToExpire == ProcessedEntry.None)
        {
            lastToExpire = ProcessedEntry.None;
        }

        return index;
    }
}
