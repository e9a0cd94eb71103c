namespace EventBus;

/// <summary>
/// Gets the wall clock time from timestamps of the monotonic clock, without reading the wall clock each time.
/// Thread-safe.
/// </summary>
internal sealed class TimestampClock(TimeProvider time)
{
    // The wall clock may be adjusted, so it is read again after this time.
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);

    private Anchor anchor = new(time.GetUtcNow(), time.GetTimestamp());

    public DateTimeOffset Now()
    {
        var timestamp = time.GetTimestamp();
        var last = Volatile.Read(ref anchor);
        var age = time.GetElapsedTime(last.Timestamp, timestamp);
        if (age >= TimeSpan.Zero && age <= MaxAge)
        {
            return last.Time + age;
        }

        var current = new Anchor(time.GetUtcNow(), time.GetTimestamp());
        Volatile.Write(ref anchor, current);
        return current.Time;
    }

    /// <summary>A time of the wall clock, and the timestamp at which it was read.</summary>
    private sealed record Anchor(DateTimeOffset Time, long Timestamp);
}
