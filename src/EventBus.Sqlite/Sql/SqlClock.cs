namespace EventBus;

/// <summary>
/// Provides the time for due times and leases in a database. It follows the clock of the machine, which all processes
/// that use the file share, but it does not go back by 1 s or more. Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// If the machine's clock is set forward, this clock follows, and the leases of failed, delayed and handled events in
/// the database are moved forward by the same amount. If the machine's clock is set back later, this clock does not go
/// back. Entries that were planned before the clock was set forward are then postponed by the same amount, so that they
/// are due at their original time.
/// </para>
/// <para>
/// The offsets of both clocks are stored in the database, so that a process that starts after the machine's clock was
/// set back continues from the time of the other processes, and only one process moves the entries. An offset is the
/// difference between a clock and the monotonic clock, which no setting changes.
/// </para>
/// </remarks>
/// <param name="inner">The clock of the machine.</param>
/// <param name="prefix">The prefix of the table names.</param>
internal sealed class SqlClock(TimeProvider inner, string prefix) : TimeProvider
{
    // The row of the meta table with the offset of this clock.
    private const string ClockRow = "clock";

    // The row of the meta table with the offset of the machine's clock when it was last set.
    private const string MachineRow = "clock.machine";

    // The time after which the next write checks the clock again.
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    // Smaller adjustments of the machine's clock are frequent, and are followed in both directions.
    private static readonly long MaxAdjustment = TimeSpan.FromSeconds(1).Ticks;

    private readonly SqlMeta meta = new(prefix);
    private readonly SqlTimeShift shift = new(prefix);

    // The offset of this clock, in ticks.
    private long offset = OffsetOf(inner);

    // The initial value is old, so that the first write checks the clock.
    private SqlClockCheck lastCheck = new(OffsetOf(inner), OffsetOf(inner), -2 * Period);

    public override TimeZoneInfo LocalTimeZone => inner.LocalTimeZone;

    public override long TimestampFrequency => inner.TimestampFrequency;

    /// <summary>True if the clock was set since the last check, or if the last check is old.</summary>
    public bool MustFollow
    {
        get
        {
            var last = Volatile.Read(ref lastCheck);
            return SqlClockCheck.IsApart(OffsetOf(inner), last.MachineOffset)
                || SqlClockCheck.IsApart(FollowMachine(), last.ClockOffset)
                || Elapsed(inner) - last.Elapsed.Ticks > Period.Ticks;
        }
    }

    public override DateTimeOffset GetUtcNow() => new(FollowMachine() + Elapsed(inner), TimeSpan.Zero);

    public override long GetTimestamp() => inner.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        inner.CreateTimer(callback, state, dueTime, period);

    /// <summary>
    /// Continues from the time of the other processes, and moves the entries that must be moved, unless another process
    /// has moved them. Must be a write of its own, after whose commit the caller passes the result to
    /// <see cref="Remember"/>.
    /// </summary>
    public async ValueTask<SqlClockCheck> FollowAsync(SqlSession session)
    {
        var last = Volatile.Read(ref lastCheck);
        var now = new SqlClockCheck(OffsetOf(inner), FollowMachine(), TimeSpan.FromTicks(Elapsed(inner)));
        var storedMachineOffset = await meta.ReadAsync(session, MachineRow);
        var wasSet = SqlClockCheck.IsApart(now.MachineOffset, last.MachineOffset);

        // If the stored offset is the current one, another process has already moved the entries.
        if (storedMachineOffset is null || (wasSet && SqlClockCheck.IsApart(now.MachineOffset, storedMachineOffset.Value)))
        {
            await shift.MoveEntriesAsync(session, last, now);
            await meta.WriteAsync(session, MachineRow, now.MachineOffset);
        }

        var storedClockOffset = await meta.ReadAsync(session, ClockRow) ?? 0;
        if (now.ClockOffset - storedClockOffset > SqlClockCheck.Slack)
        {
            await meta.WriteAsync(session, ClockRow, now.ClockOffset);
        }

        var isBehind = storedClockOffset - now.ClockOffset > SqlClockCheck.Slack;
        return isBehind ? now with { ClockOffset = storedClockOffset } : now;
    }

    /// <summary>Continues from the result of a committed check.</summary>
    public void Remember(SqlClockCheck check)
    {
        Volatile.Write(ref lastCheck, check);
        if (check.ClockOffset > Volatile.Read(ref offset) + SqlClockCheck.Slack)
        {
            Volatile.Write(ref offset, check.ClockOffset);
        }
    }

    // Reads the wall clock first. A thread that is suspended between the two reads must not compute an offset that is
    // too large.
    private static long OffsetOf(TimeProvider time) => time.GetUtcNow().UtcTicks - Elapsed(time);

    private static long Elapsed(TimeProvider time) => time.GetElapsedTime(0).Ticks;

    /// <summary>
    /// Follows the machine's clock, unless that clock was set back by 1 s or more. Returns the offset of this clock.
    /// </summary>
    private long FollowMachine()
    {
        var now = OffsetOf(inner);
        var known = Volatile.Read(ref offset);
        if (now <= known - MaxAdjustment || now == known)
        {
            return known;
        }

        // If another thread has changed the value first, that thread has already followed the clock.
        Interlocked.CompareExchange(ref offset, now, known);
        return Volatile.Read(ref offset);
    }
}
