namespace EventBus;

/// <summary>
/// Records that an instance has begun to handle a partition, and whether it has ended that properly. Stored as one
/// number: the position of a group that has no members, because Kafka stores nothing else for a partition and a group.
/// </summary>
/// <param name="Position">The position of the subscription in the partition when the period began.</param>
/// <param name="UncleanEnds">
/// The number of periods before this one, in a row and at the same position, that did not end properly.
/// </param>
/// <param name="IsOpen">True if the period has not ended properly.</param>
internal readonly record struct PeriodRecord(long Position, int UncleanEnds, bool IsOpen)
{
    // Larger than every position of records, so that tools for the lag of groups report none.
    private const long Base = 1L << 62;
    private const int CountBits = 6;
    private const int MaxCount = (1 << CountBits) - 1;

    /// <summary>The number of periods that did not end properly, if the next one begins at a position.</summary>
    /// <remarks>
    /// A process that has lost the partition, because it was suspended or its client was replaced, finds its own
    /// record: it has not ended, so that it does not count.
    /// </remarks>
    /// <param name="position">The position.</param>
    /// <param name="own">The last record of this process; the default value for none.</param>
    public int UncleanEndsAt(long position, PeriodRecord own = default)
    {
        var one = this == own ? 0 : 1;
        return !IsOpen ? 0 : position == Position ? UncleanEnds + one : one;
    }

    /// <summary>Gets the number that is stored.</summary>
    public long ToOffset() => Base | (Position << (CountBits + 1)) | ((long)Math.Min(UncleanEnds, MaxCount) << 1) | (IsOpen ? 1L : 0);

    /// <summary>Reads a stored number. One that is not of this form is a period that ended properly.</summary>
    public static PeriodRecord FromOffset(long offset) => offset < Base
        ? default
        : new((offset ^ Base) >> (CountBits + 1), (int)(offset >> 1) & MaxCount, (offset & 1) == 1);
}
