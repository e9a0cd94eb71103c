namespace EventBus;

/// <content>The expiry: which entry expires first.</content>
internal sealed partial class ProcessedTable
{
    // The entries that may expire, as a linked list ordered by expiry: a subscription has one retention, so most
    // entries are appended. An entry that expires earlier than its predecessor (concurrent handlers, a late dispatch, a
    // clock that was set back) goes into the priority queue.
    private readonly PriorityQueue<int, long> expiringEarlier = new();
    private int firstToExpire = None;
    private int lastToExpire = None;

    /// <summary>The index of the entry that expires first; <see cref="None"/> if none may expire.</summary>
    public int FirstToExpire => IsFirstInQueue ? expiringEarlier.Peek() : firstToExpire;

    // True if the entry that expires first is in the priority queue instead of the linked list.
    private bool IsFirstInQueue =>
        expiringEarlier.TryPeek(out _, out var until) && (firstToExpire == None || until < this[firstToExpire].Until);

    /// <summary>Lets an entry that is done expire at the end of its retention.</summary>
    public void LetExpire(int index)
    {
        var until = this[index].Until;
        if (lastToExpire == None)
        {
            firstToExpire = index;
            lastToExpire = index;
        }
        else if (until >= this[lastToExpire].Until)
        {
            this[lastToExpire].NextToExpire = index;
            lastToExpire = index;
        }
        else
        {
            expiringEarlier.Enqueue(index, until);
        }
    }

    /// <summary>Removes the entry that expires first.</summary>
    public void RemoveFirstToExpire()
    {
        if (IsFirstInQueue)
        {
            Remove(expiringEarlier.Dequeue());
            return;
        }

        var index = firstToExpire;
        firstToExpire = this[index].NextToExpire;
        if (firstToExpire == None)
        {
            lastToExpire = None;
        }

        Remove(index);
    }
}
