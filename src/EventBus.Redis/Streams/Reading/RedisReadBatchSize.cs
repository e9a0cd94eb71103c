namespace EventBus;

/// <summary>
/// Determines the number of entries to request: about 1 MB, at least one entry. Starts small, is halved after a
/// failure, and at most doubles with each answer. Thread-safe.
/// </summary>
/// <remarks>
/// The duration is not a usable measure: a late answer may be a small one over a connection with high latency.
/// </remarks>
internal sealed class RedisReadBatchSize
{
    private const int First = 4;
    private const int Most = 1_024;
    private const double Bytes = 1024 * 1024;

    private readonly Lock gate = new();
    private int size = First;
    private double average;

    /// <summary>Gets the number of entries to request, at most the given room.</summary>
    public int Of(int room)
    {
        lock (gate)
        {
            return Math.Min(size, room);
        }
    }

    /// <summary>Records an answer.</summary>
    /// <param name="entries">The number of entries in the answer.</param>
    /// <param name="bytes">The total size of the entries in bytes.</param>
    public void Answered(int entries, long bytes)
    {
        if (entries == 0)
        {
            return;
        }

        lock (gate)
        {
            // The average rises immediately and falls slowly: an answer that is too large costs more than one that is
            // too small.
            var latest = Math.Max(1, (double)bytes / entries);
            average = Math.Max(latest, (average + latest) / 2);
            size = (int)Math.Clamp(Bytes / average, 1, Math.Min(Most, size * 2));
        }
    }

    /// <summary>Records that there was no answer.</summary>
    public void Failed()
    {
        lock (gate)
        {
            size = Math.Max(1, size / 2);
        }
    }
}
