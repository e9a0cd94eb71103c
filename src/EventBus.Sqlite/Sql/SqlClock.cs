namespace EventBus;

/// <summary>The clock by which the stores of a database are planned: that of the machine, which all processes of the file share, but it never goes back. What waits is due when its time has elapsed. Thread-safe.</summary>
/// <remarks>
/// A clock that is set forward is followed, and the leases in the database move with it. When it is set back then, what was planned before it was set forward is put off by as much: it is due when it was.
/// The anchors of the clock lie in the database: a process that starts after the clock was set back goes on from where the others are, and one process alone moves what is to be moved.
/// </remarks>
/// <param name="inner">The clock of the machine.</param>
/// <param name="prefix">What the names of the tables begin with.</param>
internal sealed class SqlClock(TimeProvider inner, string prefix) : TimeProvider
{
    // In the database: the anchor of this clock, that of the machine's when it was last set, by how much it was put forward last, and what this clock showed then.
    private const string Steady = "clock", Machine = "clock.machine", Forward = "clock.forward", ForwardAt = "clock.forward_at";

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    // Clocks are adjusted by less all the time, and followed.
    private static readonly long Adjusted = TimeSpan.FromSeconds(1).Ticks;

    // A thread may be held up between two looks.
    private static readonly long Slack = TimeSpan.FromSeconds(5).Ticks;

    // Leases of sagas are not told from their plans, and end within that time.
    private static readonly TimeSpan Leased = TimeSpan.FromMinutes(5);

    private readonly string read = $"SELECT value FROM {prefix}meta WHERE name = @name";
    private readonly string write = $"INSERT INTO {prefix}meta (name, value) VALUES (@name, @value) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

    // 0 is the mark of what may run at once. A delayed event that was planned before is marked, as nothing else says when it was.
    private readonly string[] leases =
    [
        $"UPDATE {prefix}failures SET turn = turn + @by WHERE claim <> 0 AND turn > 0", $"UPDATE {prefix}delays SET turn = turn + @by WHERE claimed = 1",
        $"UPDATE {prefix}processed SET until = until + @by WHERE done = 0", $"UPDATE {prefix}delays SET claimed = 2 WHERE claimed = 0",
    ];

    private readonly string[] plans =
    [
        $"UPDATE {prefix}failures SET turn = turn + @by WHERE claim = 0 AND turn > @now AND last_failed_at < @before", $"UPDATE {prefix}failures SET due_at = due_at + @by WHERE due_at > @now AND last_failed_at < @before",
        $"UPDATE {prefix}failures SET deadline = deadline + @by WHERE deadline > @now AND last_failed_at < @before", $"UPDATE {prefix}delays SET turn = turn + @by WHERE claimed = 2 AND turn > @now AND @before > 0",
        $"UPDATE {prefix}sagas SET due_at = due_at + @by WHERE due_at > @now + {Leased.Ticks} AND changed_at < @before",
    ];

    // By how much the wall clocks are ahead of the one that only counts.
    private long ahead = AheadOf(inner);
    private Anchors followed = new(AheadOf(inner), AheadOf(inner), -2 * Period);

    public override TimeZoneInfo LocalTimeZone => inner.LocalTimeZone;

    public override long TimestampFrequency => inner.TimestampFrequency;

    /// <summary>The clock was set since the last look, or the last look is old.</summary>
    public bool IsToFollow => Volatile.Read(ref followed) is var last && (IsApart(AheadOf(inner), last.Machine) || IsApart(Follow(), last.Steady) || Elapsed(inner) - last.At.Ticks > Period.Ticks);

    public override DateTimeOffset GetUtcNow() => new(Follow() + Elapsed(inner), TimeSpan.Zero);

    public override long GetTimestamp() => inner.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => inner.CreateTimer(callback, state, dueTime, period);

    /// <summary>Goes on from where other processes are, and moves what is to be moved unless another process has. A step of its own: what it returns is remembered once it is committed.</summary>
    public async ValueTask<Anchors> FollowAsync(SqlSession session)
    {
        var last = Volatile.Read(ref followed);
        var now = new Anchors(AheadOf(inner), Follow(), TimeSpan.FromTicks(Elapsed(inner)));
        var machine = await ReadAsync(session, Machine);
        if (machine is null || (IsApart(now.Machine, last.Machine) && IsApart(now.Machine, machine.Value)))
        {
            if (now.Steady - last.Steady > Slack)
            {
                await PutForwardAsync(session, now.Steady - last.Steady, now);
            }
            else if (now.Machine < last.Machine && await ReadAsync(session, Forward) is { } forward and > 0)
            {
                await ReleaseAsync(session, Math.Min(forward, last.Machine - now.Machine), forward, now);
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
        if (now.Steady > Volatile.Read(ref ahead) + Slack)
        {
            Volatile.Write(ref ahead, now.Steady);
        }
    }

    private static bool IsApart(long one, long other) => Math.Abs(one - other) > Slack;

    // The wall clock first: a thread that is held up between the two looks must not find a clock that is too far ahead.
    private static long AheadOf(TimeProvider time) => time.GetUtcNow().UtcTicks - Elapsed(time);

    private static long Elapsed(TimeProvider time) => time.GetElapsedTime(0).Ticks;

    /// <summary>Follows the machine's clock, unless it was set back.</summary>
    private long Follow()
    {
        var (now, known) = (AheadOf(inner), Volatile.Read(ref ahead));
        if (now <= known - Adjusted || now == known)
        {
            return known;
        }

        // Lost to another thread: that one has followed.
        Interlocked.CompareExchange(ref ahead, now, known);
        return Volatile.Read(ref ahead);
    }

    private async ValueTask PutForwardAsync(SqlSession session, long by, Anchors now)
    {
        foreach (var move in leases)
        {
            await session.Prepare(move).Set("@by", by).ExecuteAsync();
        }

        await WriteAsync(session, Forward, by);
        await WriteAsync(session, ForwardAt, now.Shows - by);
    }

    private async ValueTask ReleaseAsync(SqlSession session, long by, long forward, Anchors now)
    {
        var before = await ReadAsync(session, ForwardAt);
        foreach (var move in plans)
        {
            await session.Prepare(move).Set("@by", by).Set("@now", now.Shows).Set("@before", before).ExecuteAsync();
        }

        await WriteAsync(session, Forward, forward - by > Slack ? forward - by : 0);
    }

    private ValueTask<long?> ReadAsync(SqlSession session, string name) => session.Prepare(read).Set("@name", name).NumberAsync();

    private async ValueTask WriteAsync(SqlSession session, string name, long value) => await session.Prepare(write).Set("@name", name).Set("@value", value).ExecuteAsync();

    /// <summary>The clocks at a look, against the one that only counts.</summary>
    /// <param name="Machine">By how much the machine's is ahead.</param>
    /// <param name="Steady">By how much this one is ahead.</param>
    /// <param name="At">What had elapsed.</param>
    internal sealed record Anchors(long Machine, long Steady, TimeSpan At)
    {
        public long Shows => Steady + At.Ticks;
    }
}
