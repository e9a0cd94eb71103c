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
    // Names of rows of the meta table. The offset of this clock:
    private const string ClockRow = "clock";

    // The offset of the machine's clock when it was last set:
    private const string MachineRow = "clock.machine";

    // The amount by which the machine's clock was last set forward, less what was set back since:
    private const string ForwardRow = "clock.forward";

    // The time of this clock before it was set forward:
    private const string ForwardAtRow = "clock.forward_at";

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    // Smaller adjustments of the machine's clock are frequent, and are followed in both directions.
    private static readonly long MaxAdjustment = TimeSpan.FromSeconds(1).Ticks;

    // Offsets that differ by less count as equal: a thread may be suspended between the reads of the two clocks.
    private static readonly long Slack = TimeSpan.FromSeconds(5).Ticks;

    // The due time of a saga is either the end of a lease or a planned time, and the row does not say which. Leases end
    // within this time, so only later times are moved.
    private static readonly TimeSpan LongestLease = TimeSpan.FromMinutes(5);

    private readonly string read = $"SELECT value FROM {prefix}meta WHERE name = @name";
    private readonly string write =
        $"INSERT INTO {prefix}meta (name, value) VALUES (@name, @value) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

    // Moves the leases when the clock is set forward. A turn of 0 means that the entry may run at once; it is not
    // moved. A delayed event has no column for the time at which it was planned, so those that were planned before the
    // change are marked with claimed = 2.
    private readonly string[] whenSetForward =
    [
        $"UPDATE {prefix}failures SET turn = turn + @by WHERE claim <> 0 AND turn > 0",
        $"UPDATE {prefix}delays SET turn = turn + @by WHERE claimed = 1",
        $"UPDATE {prefix}processed SET until = until + @by WHERE done = 0",
        $"UPDATE {prefix}delays SET claimed = 2 WHERE claimed = 0",
    ];

    // Postpones the entries that were planned before @before, and are not due yet, when the clock is set back.
    private readonly string[] whenSetBack =
    [
        $"UPDATE {prefix}failures SET turn = turn + @by WHERE claim = 0 AND turn > @now AND last_failed_at < @before",
        $"UPDATE {prefix}failures SET due_at = due_at + @by WHERE due_at > @now AND last_failed_at < @before",
        $"UPDATE {prefix}failures SET deadline = deadline + @by WHERE deadline > @now AND last_failed_at < @before",
        $"UPDATE {prefix}delays SET turn = turn + @by WHERE claimed = 2 AND turn > @now",
        $"UPDATE {prefix}sagas SET due_at = due_at + @by WHERE due_at > @now + {LongestLease.Ticks} AND changed_at < @before",
    ];

    // The offset of this clock, in ticks.
    private long offset = OffsetOf(inner);

    // The initial value is old, so that the first write checks the clock.
    private Check lastCheck = new(OffsetOf(inner), OffsetOf(inner), -2 * Period);

    public override TimeZoneInfo LocalTimeZone => inner.LocalTimeZone;

    public override long TimestampFrequency => inner.TimestampFrequency;

    /// <summary>True if the clock was set since the last check, or if the last check is old.</summary>
    public bool MustFollow
    {
        get
        {
            var last = Volatile.Read(ref lastCheck);
            return IsApart(OffsetOf(inner), last.MachineOffset)
                || IsApart(FollowMachine(), last.ClockOffset)
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
    public async ValueTask<Check> FollowAsync(SqlSession session)
    {
        var last = Volatile.Read(ref lastCheck);
        var now = new Check(OffsetOf(inner), FollowMachine(), TimeSpan.FromTicks(Elapsed(inner)));
        var storedMachineOffset = await ReadAsync(session, MachineRow);
        var wasSet = IsApart(now.MachineOffset, last.MachineOffset);

        // If the stored offset is the current one, another process has already moved the entries.
        if (storedMachineOffset is null || (wasSet && IsApart(now.MachineOffset, storedMachineOffset.Value)))
        {
            await MoveEntriesAsync(session, last, now);
            await WriteAsync(session, MachineRow, now.MachineOffset);
        }

        var storedClockOffset = await ReadAsync(session, ClockRow) ?? 0;
        if (now.ClockOffset - storedClockOffset > Slack)
        {
            await WriteAsync(session, ClockRow, now.ClockOffset);
        }

        var isBehind = storedClockOffset - now.ClockOffset > Slack;
        return isBehind ? now with { ClockOffset = storedClockOffset } : now;
    }

    /// <summary>Continues from the result of a committed check.</summary>
    public void Remember(Check check)
    {
        Volatile.Write(ref lastCheck, check);
        if (check.ClockOffset > Volatile.Read(ref offset) + Slack)
        {
            Volatile.Write(ref offset, check.ClockOffset);
        }
    }

    private static bool IsApart(long one, long other) => Math.Abs(one - other) > Slack;

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

    /// <summary>Moves the entries if the machine's clock was set since the last check.</summary>
    private async ValueTask MoveEntriesAsync(SqlSession session, Check last, Check now)
    {
        if (now.ClockOffset - last.ClockOffset > Slack)
        {
            await MoveLeasesAsync(session, now.ClockOffset - last.ClockOffset, now);
        }
        else if (now.MachineOffset < last.MachineOffset)
        {
            var forward = await ReadAsync(session, ForwardRow) ?? 0;
            if (forward > 0)
            {
                await PostponePlansAsync(session, Math.Min(forward, last.MachineOffset - now.MachineOffset), forward, now);
            }
        }
    }

    /// <summary>Moves the leases forward, because the machine's clock was set forward.</summary>
    private async ValueTask MoveLeasesAsync(SqlSession session, long by, Check now)
    {
        foreach (var statement in whenSetForward)
        {
            await session.Prepare(statement).Set("@by", by).ExecuteAsync();
        }

        await WriteAsync(session, ForwardRow, by);
        await WriteAsync(session, ForwardAtRow, now.Time - by);
    }

    /// <summary>Postpones the planned entries, because the machine's clock was set back.</summary>
    private async ValueTask PostponePlansAsync(SqlSession session, long by, long forward, Check now)
    {
        var before = await ReadAsync(session, ForwardAtRow);
        foreach (var statement in whenSetBack)
        {
            await session.Prepare(statement).Set("@by", by).Set("@now", now.Time).Set("@before", before).ExecuteAsync();
        }

        var remaining = forward - by;
        await WriteAsync(session, ForwardRow, remaining > Slack ? remaining : 0);
    }

    private ValueTask<long?> ReadAsync(SqlSession session, string name) => session.Prepare(read).Set("@name", name).NumberAsync();

    private async ValueTask WriteAsync(SqlSession session, string name, long value) =>
        await session.Prepare(write).Set("@name", name).Set("@value", value).ExecuteAsync();

    /// <summary>The offsets of the clocks at the time of a check.</summary>
    /// <param name="MachineOffset">The offset of the machine's clock, in ticks.</param>
    /// <param name="ClockOffset">The offset of this clock, in ticks.</param>
    /// <param name="Elapsed">The time of the monotonic clock at the check.</param>
    internal sealed record Check(long MachineOffset, long ClockOffset, TimeSpan Elapsed)
    {
        /// <summary>The time of this clock at the check, in ticks.</summary>
        public long Time => ClockOffset + Elapsed.Ticks;
    }
}
