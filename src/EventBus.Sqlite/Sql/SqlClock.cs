namespace EventBus;

/// <summary>
/// Provides the time for due times and leases in a database. It follows the clock of the machine, which all processes
/// that use the file share, but it does not go back by 1 s or more. Thread-safe.
/// </summary>
/// <remarks>
/// If the machine's clock is set forward, this clock follows, and the leases in the database are moved forward by the
/// same amount. If the machine's clock is set back later, entries that were planned before it was set forward are
/// postponed by the same amount, so that they are due at their original time. The anchors of the clock are stored in
/// the database. A process that starts after the clock was set back continues from the time of the other processes, and
/// only one process moves the entries.
/// </remarks>
/// <param name="inner">The clock of the machine.</param>
/// <param name="prefix">The prefix of the table names.</param>
internal sealed class SqlClock(TimeProvider inner, string prefix) : TimeProvider
{
    // Rows of the meta table: the anchor of this clock; the anchor of the machine's clock when it was last set; the
    // amount of the last forward change; and the time that this clock showed before that change.
    private const string Steady = "clock", Machine = "clock.machine", Forward = "clock.forward", ForwardAt = "clock.forward_at";

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    // Smaller adjustments of the machine's clock are frequent, and are followed in both directions.
    private static readonly long Adjusted = TimeSpan.FromSeconds(1).Ticks;

    // A thread may be suspended between the two reads of the clocks.
    private static readonly long Slack = TimeSpan.FromSeconds(5).Ticks;

    // The due time of a saga is either the end of a lease or a planned time, and the row does not say which. Leases end
    // within this time, so only later times are moved.
    private static readonly TimeSpan LongestLease = TimeSpan.FromMinutes(5);

    private readonly string read = $"SELECT value FROM {prefix}meta WHERE name = @name";
    private readonly string write =
        $"INSERT INTO {prefix}meta (name, value) VALUES (@name, @value) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

    // A turn of 0 means that the entry may run at once; it is not moved. A row of delays has no column for the time at
    // which it was planned, so events that were planned before the change are marked with claimed = 2.
    private readonly string[] moveLeases =
    [
        $"UPDATE {prefix}failures SET turn = turn + @by WHERE claim <> 0 AND turn > 0",
        $"UPDATE {prefix}delays SET turn = turn + @by WHERE claimed = 1",
        $"UPDATE {prefix}processed SET until = until + @by WHERE done = 0", $"UPDATE {prefix}delays SET claimed = 2 WHERE claimed = 0",
    ];

    private readonly string[] movePlans =
    [
        $"UPDATE {prefix}failures SET turn = turn + @by WHERE claim = 0 AND turn > @now AND last_failed_at < @before",
        $"UPDATE {prefix}failures SET due_at = due_at + @by WHERE due_at > @now AND last_failed_at < @before",
        $"UPDATE {prefix}failures SET deadline = deadline + @by WHERE deadline > @now AND last_failed_at < @before",
        $"UPDATE {prefix}delays SET turn = turn + @by WHERE claimed = 2 AND turn > @now AND @before > 0",
        $"UPDATE {prefix}sagas SET due_at = due_at + @by WHERE due_at > @now + {LongestLease.Ticks} AND changed_at < @before",
    ];

    // The offset of this clock from the monotonic clock, in ticks.
    private long offset = OffsetOf(inner);
    private Anchors followed = new(OffsetOf(inner), OffsetOf(inner), -2 * Period);

    public override TimeZoneInfo LocalTimeZone => inner.LocalTimeZone;

    public override long TimestampFrequency => inner.TimestampFrequency;

    /// <summary>True if the clock was set since the last check, or if the last check is old.</summary>
    public bool MustFollow
    {
        get
        {
            var last = Volatile.Read(ref followed);
            return IsApart(OffsetOf(inner), last.Machine)
                || IsApart(Follow(), last.Steady)
                || Elapsed(inner) - last.At.Ticks > Period.Ticks;
        }
    }

    public override DateTimeOffset GetUtcNow() => new(Follow() + Elapsed(inner), TimeSpan.Zero);

    public override long GetTimestamp() => inner.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        inner.CreateTimer(callback, state, dueTime, period);

    /// <summary>
    /// Continues from the time of the other processes, and moves the entries that must be moved, unless another process
    /// has moved them. Must be a write of its own, after whose commit the caller passes the result to
    /// <see cref="Remember"/>.
    /// </summary>
    public async ValueTask<Anchors> FollowAsync(SqlSession session)
    {
        var last = Volatile.Read(ref followed);
        var now = new Anchors(OffsetOf(inner), Follow(), TimeSpan.FromTicks(Elapsed(inner)));
        var machine = await ReadAsync(session, Machine);
        if (machine is null || (IsApart(now.Machine, last.Machine) && IsApart(now.Machine, machine.Value)))
        {
            if (now.Steady - last.Steady > Slack)
            {
                await PutForwardAsync(session, now.Steady - last.Steady, now);
            }
            else if (now.Machine < last.Machine)
            {
                var forward = await ReadAsync(session, Forward) ?? 0;
                if (forward > 0)
                {
                    await PutBackAsync(session, Math.Min(forward, last.Machine - now.Machine), forward, now);
                }
            }

            await WriteAsync(session, Machine, now.Machine);
        }

        var steady = await ReadAsync(session, Steady) ?? 0;
        if (now.Steady - steady > Slack)
        {
            await WriteAsync(session, Steady, now.Steady);
        }

        return steady - now.Steady > Slack ? now with { Steady = steady } : now;
    }

    public void Remember(Anchors now)
    {
        Volatile.Write(ref followed, now);
        if (now.Steady > Volatile.Read(ref offset) + Slack)
        {
            Volatile.Write(ref offset, now.Steady);
        }
    }

    private static bool IsApart(long one, long other) => Math.Abs(one - other) > Slack;

    // Reads the wall clock first. A thread that is suspended between the two reads must not compute an offset that is
    // too large.
    private static long OffsetOf(TimeProvider time) => time.GetUtcNow().UtcTicks - Elapsed(time);

    private static long Elapsed(TimeProvider time) => time.GetElapsedTime(0).Ticks;

    /// <summary>Follows the machine's clock, unless that clock was set back by 1 s or more.</summary>
    private long Follow()
    {
        var (now, known) = (OffsetOf(inner), Volatile.Read(ref offset));
        if (now <= known - Adjusted || now == known)
        {
            return known;
        }

        // If another thread has changed the value first, that thread has already followed the clock.
        Interlocked.CompareExchange(ref offset, now, known);
        return Volatile.Read(ref offset);
    }

    /// <summary>Moves the leases forward, because the machine's clock was set forward.</summary>
    private async ValueTask PutForwardAsync(SqlSession session, long by, Anchors now)
    {
        foreach (var move in moveLeases)
        {
            await session.Prepare(move).Set("@by", by).ExecuteAsync();
        }

        await WriteAsync(session, Forward, by);
        await WriteAsync(session, ForwardAt, now.Shows - by);
    }

    /// <summary>Postpones the planned entries, because the machine's clock was set back.</summary>
    private async ValueTask PutBackAsync(SqlSession session, long by, long forward, Anchors now)
    {
        var before = await ReadAsync(session, ForwardAt);
        foreach (var move in movePlans)
        {
            await session.Prepare(move).Set("@by", by).Set("@now", now.Shows).Set("@before", before).ExecuteAsync();
        }

        await WriteAsync(session, Forward, forward - by > Slack ? forward - by : 0);
    }

    private ValueTask<long?> ReadAsync(SqlSession session, string name) => session.Prepare(read).Set("@name", name).NumberAsync();

    private async ValueTask WriteAsync(SqlSession session, string name, long value) =>
        await session.Prepare(write).Set("@name", name).Set("@value", value).ExecuteAsync();

    /// <summary>The offsets of the clocks from the monotonic clock at the time of a check.</summary>
    /// <param name="Machine">The offset of the machine's clock, in ticks.</param>
    /// <param name="Steady">The offset of this clock, in ticks.</param>
    /// <param name="At">The time of the monotonic clock at the check.</param>
    internal sealed record Anchors(long Machine, long Steady, TimeSpan At)
    {
        public long Shows => Steady + At.Ticks;
    }
}
