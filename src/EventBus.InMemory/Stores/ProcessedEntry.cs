namespace EventBus;

/// <summary>
/// Holds one key of a <see cref="ProcessedTable"/>. Contains no references, so the garbage collector does not scan it.
/// </summary>
internal struct ProcessedEntry
{
    /// <summary>The index that stands for no entry.</summary>
    public const int None = -1;

    /// <summary>The value of <see cref="NextToExpire"/> for an event that is not done.</summary>
    public const int NotDone = -2;

    /// <summary>The key; empty if the key is no UUID, but a <see cref="ProcessedDetails.Text"/>.</summary>
    public Guid Uuid;

    /// <summary>The fencing token of the claim; 0 for an unused entry.</summary>
    public long FencingToken;

    /// <summary>The end of the lease; after completion, the end of the retention. In UTC ticks.</summary>
    public long Until;

    /// <summary>
    /// The index of the next entry in the same bucket, or of the next unused entry; <see cref="None"/> for none.
    /// </summary>
    public int Next;

    /// <summary>
    /// The index of the next entry in the list by expiry. <see cref="None"/> for the last one and for an entry that is
    /// not in the list, and <see cref="NotDone"/> while the event is not done.
    /// </summary>
    public int NextToExpire;

    /// <summary>True if the event was handled.</summary>
    public readonly bool IsDone => NextToExpire != NotDone;

    /// <summary>Marks the event as handled.</summary>
    /// <param name="until">The end of its retention in UTC ticks.</param>
    public void SetDone(long until)
    {
        Until = until;
        NextToExpire = None;
    }
}
