namespace EventBus.Transports;

/// <summary>Limits the number of failures that are logged in full within a period. Not thread-safe.</summary>
internal sealed class FullEntryLimit(TimeProvider time, TimeSpan period)
{
    // The maximum number of full entries per period.
    private const int MaxEntries = 10;

    // The number of full entries, and the timestamp since which they are counted.
    private int count;
    private long countedSince = time.GetTimestamp();

    /// <summary>Takes one of the full entries of a period. Returns false if none is left.</summary>
    public bool TryTake()
    {
        if (time.GetElapsedTime(countedSince) >= period)
        {
            count = 0;
            countedSince = time.GetTimestamp();
        }

        count++;
        return count <= MaxEntries;
    }
}
