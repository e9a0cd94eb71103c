namespace EventBus;

/// <summary>
/// A clock whose wall time never goes back. If the machine's clock is set back, this clock continues from its current
/// time, so that earlier due times are not delayed. Thread-safe.
/// </summary>
/// <remarks>
/// For due times that exist only in this process. The clock stays ahead of the machine's clock by the time that the
/// latter was set back. It follows a clock that is set forward.
/// </remarks>
internal sealed class MonotonicTimeProvider(TimeProvider inner) : TimeProvider
{
    // In ticks. Operating systems continuously adjust their clocks by less than this. Such adjustments are followed.
    private static readonly long MaxAdjustment = TimeSpan.FromSeconds(1).Ticks;

    // The difference between the wall clock and the monotonic clock, in ticks.
    private long offset = OffsetOf(inner);

    public override TimeZoneInfo LocalTimeZone => inner.LocalTimeZone;

    public override long TimestampFrequency => inner.TimestampFrequency;

    public override DateTimeOffset GetUtcNow()
    {
        Follow();
        return new DateTimeOffset(Volatile.Read(ref offset) + Elapsed(inner), TimeSpan.Zero);
    }

    public override long GetTimestamp() => inner.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        inner.CreateTimer(callback, state, dueTime, period);

    // The wall clock is read first: a thread that is delayed between the two reads then gets an offset that is too
    // small, and never one that is too large.
    private static long OffsetOf(TimeProvider time) => time.GetUtcNow().UtcTicks - Elapsed(time);

    private static long Elapsed(TimeProvider time) => time.GetElapsedTime(0).Ticks;

    private void Follow()
    {
        var current = OffsetOf(inner);
        var known = Volatile.Read(ref offset);
        if (current > known - MaxAdjustment && current != known)
        {
            // If another thread has changed the offset first, that thread has already followed the clock.
            Interlocked.CompareExchange(ref offset, current, known);
        }
    }
}
