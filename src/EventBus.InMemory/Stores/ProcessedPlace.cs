namespace EventBus;

/// <summary>One key in a <see cref="ProcessedTable"/>.</summary>
internal struct ProcessedPlace
{
    /// <summary>The key; empty where it is a text, which is kept beside.</summary>
    public Guid Uuid;

    /// <summary>The number of the claim; 0 for a place that is not used.</summary>
    public long Fence;

    /// <summary>Until when it is leased; once done, until when it is kept. In ticks of UTC.</summary>
    public long Until;

    /// <summary>The next of its bucket, or of the free places.</summary>
    public int Next;

    /// <summary>What may be forgotten next, once it is done.</summary>
    public int NextDone;

    /// <summary>It was handled.</summary>
    public readonly bool IsDone => NextDone != ProcessedTable.NotDone;

    /// <summary>It was handled, and is kept for so long.</summary>
    /// <param name="until">In ticks of UTC.</param>
    public void SetDone(long until) => (Until, NextDone) = (until, ProcessedTable.None);
}
