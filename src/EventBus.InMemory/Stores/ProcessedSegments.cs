namespace EventBus;

/// <summary>
/// Holds the entries of a <see cref="ProcessedTable"/> in segments of a fixed size, and reuses freed entries. Entries
/// are addressed by their index. Not thread-safe.
/// </summary>
/// <remarks>
/// The garbage collector does not scan the segments, because an entry contains no references; and it does not move a
/// segment of the full size, which is on the large object heap.
/// </remarks>
internal sealed class ProcessedSegments
{
    private const int SegmentBits = 12;
    private const int SegmentSize = 1 << SegmentBits;

    // The initial size of the first segment. It grows up to the full size, because most subscriptions handle few
    // events.
    private const int FirstSize = 64;

    private ProcessedEntry[][] segments = new ProcessedEntry[4][];
    private int segmentCount;

    // The first of the linked list of the freed entries.
    private int firstFree = ProcessedEntry.None;

    /// <summary>The number of entries that were ever used. Every index is lower.</summary>
    public int UsedCount { get; private set; }

    public ref ProcessedEntry this[int index] => ref segments[index >> SegmentBits][index & (SegmentSize - 1)];

    /// <summary>
    /// Returns the index of an unused entry. Adds a segment, or enlarges the first one, if there is none.
    /// </summary>
    public int Take()
    {
        if (firstFree != ProcessedEntry.None)
        {
            var freed = firstFree;
            firstFree = this[freed].Next;
            return freed;
        }

        if (UsedCount >> SegmentBits == segmentCount)
        {
            AddSegment();
        }
        else if (UsedCount == segments[0].Length && UsedCount < SegmentSize)
        {
            Array.Resize(ref segments[0], segments[0].Length * 2);
        }

        var added = UsedCount;
        UsedCount++;
        return added;
    }

    /// <summary>Clears an entry, which can then be taken again.</summary>
    public void Free(int index)
    {
        this[index] = new ProcessedEntry { Next = firstFree };
        firstFree = index;
    }

    private void AddSegment()
    {
        if (segmentCount == segments.Length)
        {
            Array.Resize(ref segments, segments.Length * 2);
        }

        segments[segmentCount] = GC.AllocateUninitializedArray<ProcessedEntry>(segmentCount == 0 ? FirstSize : SegmentSize);
        segmentCount++;
    }
}
