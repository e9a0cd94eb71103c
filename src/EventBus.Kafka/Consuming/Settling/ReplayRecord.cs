namespace EventBus;

/// <summary>
/// Records which records of a partition belong to a replay. Stored as one number: the position of a group that has no
/// members, because Kafka stores nothing else for a partition and a group.
/// </summary>
/// <param name="Number">The number of the replay; 0 for none.</param>
/// <param name="Until">The offset of the first record behind the replay.</param>
internal readonly record struct ReplayRecord(long Number, long Until)
{
    /// <summary>The largest offset that a replay can have.</summary>
    public const long MaxUntil = (1L << UntilBits) - 1;

    // Larger than every position of records, so that tools for the lag of groups report none.
    private const long Base = 1L << 62;
    private const int UntilBits = 43;

    private static readonly DateTimeOffset Epoch = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Returns true if the record at an offset belongs to the replay.</summary>
    public bool Includes(long offset) => offset < Until;

    /// <summary>
    /// Gets the number of the next replay. It grows with the hours, so that it is higher than earlier ones also when
    /// the cluster has forgotten them, but stores still have their marks.
    /// </summary>
    /// <param name="last">The highest number of an earlier replay; 0 for none.</param>
    /// <param name="now">The time.</param>
    public static long NumberAfter(long last, DateTimeOffset now) => Math.Max(last + 1, (long)(now - Epoch).TotalHours);

    /// <summary>Gets the number that is stored.</summary>
    public long ToOffset() => Base | (Number << UntilBits) | Until;

    /// <summary>Reads a stored number. One that is not of this form is no replay.</summary>
    public static ReplayRecord FromOffset(long offset) => offset < Base
        ? default
        : new((offset ^ Base) >> UntilBits, offset & MaxUntil);
}
