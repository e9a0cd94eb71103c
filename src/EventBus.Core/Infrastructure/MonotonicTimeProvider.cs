namespace EventBus;

/// <summary>
/// A clock whose wall time never goes back: when the clock of the machine is set back, it goes on from where it was.
/// What was planned before runs when its time has elapsed, and not later by as much. Thread-safe.
/// </summary>
/// <remarks>
/// For plans that live and die with this process. It is ahead of the machine's clock for as long as that was set back;
/// a clock that is set forward is followed.
/// </remarks>
internal sealed class MonotonicTimeProvider(TimeProvider inner) : TimeProvider
{
    // Clocks are adjusted by less all the time, and followed.
    private static readonly long Slack = TimeSpan.FromSeconds(1).Ticks;

    // By how much the wall clock is ahead of the timestamps.
    private long ahead = AheadOf(inner);

    public override TimeZoneInfo LocalTimeZone => inner.LocalTimeZone;

    public override long TimestampFrequency => inner.TimestampFrequency;

    public override DateTimeOffset GetUtcNow()
    {
        Follow();
        return new DateTimeOffset(Volatile.Read(ref ahead) + Elapsed(inner), TimeSpan.Zero);
    }

    public override long GetTimestamp() => inner.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => inner.CreateTimer(callback, state, dueTime, period);

    // The wall clock first: a thread that is held up between the two looks must not find a clock that is too far ahead.
    private static long AheadOf(TimeProvider time) => time.GetUtcNow().UtcTicks - Elapsed(time);

    private static long Elapsed(TimeProvider time) => time.GetElapsedTime(0).Ticks;

    private void Follow()
    {
        var now = AheadOf(inner);
        var known = Volatile.Read(ref ahead);
        if (now > known - Slack && now != known)
        {
            // Lost to another thread: that one has followed.
            Interlocked.CompareExchange(ref ahead, now, known);
        }
    }
}
