namespace EventBus.Transports;

/// <summary>Limits the number of failures that are logged in full within a period. Not thread-safe.</summary>
internal sealed class FullEntryLimit(TimeProvider time, TimeSpan period)
{
    // The maximum number of full entries per period, over all activities.
    private const int MaxEntries = 10;

    // The number of full entries since a time, as a timestamp of the clock.
    private int count;
    private long countedSince = time.GetTimestamp();

    /// <summary>Counts a full entry. Returns false if there are too many within a period.</summary>
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
