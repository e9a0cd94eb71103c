namespace EventBus;

/// <summary>How many entries one answer should bring: about a megabyte, one entry at least. Few at first and after a failure, at most twice as many with every answer. Thread-safe.</summary>
/// <remarks>Time is no measure: an answer that comes late may be a small one over a long way.</remarks>
internal sealed class RedisReadBatchSize
{
    private const int First = 4;
    private const int Most = 1_024;
    private const double Bytes = 1024 * 1024;

    private readonly Lock gate = new();
    private int size = First;
    private double average;

    /// <summary>How many to ask for where there is room for so many.</summary>
    public int Of(int room)
    {
        lock (gate)
        {
            return Math.Min(size, room);
        }
    }

    /// <summary>An answer has come.</summary>
    /// <param name="entries">How many entries it brought.</param>
    /// <param name="bytes">How many bytes they hold together.</param>
    public void Answered(int entries, long bytes)
    {
        if (entries == 0)
        {
            return;
        }

        lock (gate)
        {
            // It rises at once and falls slowly: one answer that is too large costs more than one that is too small.
            var latest = Math.Max(1, (double)bytes / entries);
            average = Math.Max(latest, (average + latest) / 2);
            size = (int)Math.Clamp(Bytes / average, 1, Math.Min(Most, size * 2));
        }
    }

    /// <summary>There was no answer.</summary>
    public void Failed()
    {
        lock (gate)
        {
            size = Math.Max(1, size / 2);
        }
    }
}
