namespace EventBus;

/// <summary>
/// Converts timestamps of the monotonic clock to wall clock time, without reading the wall clock each time.
/// Thread-safe.
/// </summary>
internal sealed class TimestampClock(TimeProvider time)
{
    // The wall clock may be adjusted, so it is read again after this time.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private Anchor anchor = new(time.GetUtcNow(), time.GetTimestamp());

    public DateTimeOffset Now()
    {
        var stamp = time.GetTimestamp();
        var known = Volatile.Read(ref anchor);
        var since = time.GetElapsedTime(known.Stamp, stamp);
        if (since < TimeSpan.Zero || since > Longest)
        {
            Volatile.Write(ref anchor, known = new Anchor(time.GetUtcNow(), time.GetTimestamp()));
            return known.Time;
        }

        return known.Time + since;
    }

    private sealed record Anchor(DateTimeOffset Time, long Stamp);
}
