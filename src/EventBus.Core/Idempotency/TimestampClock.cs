namespace EventBus;

/// <summary>Tells the time of a timestamp that was taken anyway, without another look at the clock. Thread-safe.</summary>
internal sealed class TimestampClock(TimeProvider time)
{
    // The wall clock may be set: it is looked at once a second.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private Anchor anchor = new(time.GetUtcNow(), time.GetTimestamp());

    /// <param name="stamp">A timestamp of the same clock, taken just now.</param>
    public DateTimeOffset At(long stamp)
    {
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
