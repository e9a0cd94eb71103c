namespace EventBus;

/// <summary>Holds one key of a <see cref="ProcessedTable"/>.</summary>
internal struct ProcessedPlace
{
    /// <summary>The key; empty if the key is a text, which is stored in <see cref="ProcessedRest.Text"/>.</summary>
    public Guid Uuid;

    /// <summary>The fencing token of the claim; 0 for an unused place.</summary>
    public long FencingToken;

    /// <summary>The end of the lease; after completion, the end of the retention. In UTC ticks.</summary>
    public long Until;

    /// <summary>The next place in the same bucket, or in the list of free places.</summary>
    public int Next;

    /// <summary>
    /// The place that expires after this one; <see cref="ProcessedTable.NotDone"/> while the event is not done.
    /// </summary>
    public int NextDone;

    /// <summary>True if the event was handled.</summary>
    public readonly bool IsDone => NextDone != ProcessedTable.NotDone;

    /// <summary>Marks the event as handled.</summary>
    /// <param name="until">The end of its retention in UTC ticks.</param>
    public void SetDone(long until) => (Until, NextDone) = (until, ProcessedTable.None);
}
