namespace EventBus;

/// <summary>How many entries one answer should bring: few at first and after a failure, twice as many after a quick answer, half as many after a slow one, and one at least. Thread-safe.</summary>
internal sealed class RedisPace
{
    private const int First = 8;
    private const int Most = 1_024;

    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(2);

    private volatile int size = First;

    /// <summary>How many to ask for where there is room for so many.</summary>
    public int Of(int room) => Math.Min(size, room);

    /// <summary>An answer has come.</summary>
    /// <param name="elapsed">How long it took after it was asked for.</param>
    /// <param name="isFull">It brought as many as it was asked for, and so did not wait for any.</param>
    /// <param name="waited">How long it may have waited for the first entry otherwise.</param>
    public void Answered(TimeSpan elapsed, bool isFull, TimeSpan waited)
    {
        var before = size;
        size = elapsed > Slow + (isFull ? TimeSpan.Zero : waited) ? Math.Max(1, before / 2)
            : isFull && elapsed < Quick ? Math.Min(Most, before * 2)
            : before;
    }

    /// <summary>There was no answer.</summary>
    public void Failed() => size = 1;
}
