namespace EventBus;

/// <summary>Notices that the clock of the machine was set back, and moves what waits in the database with it: it runs when its time has elapsed, and not later by as much. Leases move too.</summary>
/// <remarks>The times in the database stay those of the machine's clock, which all processes that share the file have in common: one of them moves them, and leaves a note for the others.</remarks>
internal sealed class SqlClock(TimeProvider time, string prefix)
{
    private const string Moved = "clock";

    // Clocks are adjusted by less all the time; and a thread may be held up between two looks.
    private static readonly long Slack = TimeSpan.FromSeconds(5).Ticks;

    private readonly string[] moves =
    [
        Move($"{prefix}failures", "turn"), Move($"{prefix}failures", "due_at"), Move($"{prefix}failures", "deadline"), Move($"{prefix}failures", "alert_at"),
        Move($"{prefix}delays", "turn"), Move($"{prefix}sagas", "due_at"), Move($"{prefix}sagas", "alert_at"), $"{Move($"{prefix}processed", "until")} AND done = 0",
    ];

    private readonly string note = $"SELECT value FROM {prefix}meta WHERE name = '{Moved}'";
    private readonly string leaveNote = $"INSERT INTO {prefix}meta (name, value) VALUES ('{Moved}', @value) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    private readonly string removeNote = $"DELETE FROM {prefix}meta WHERE name = '{Moved}'";

    // By how much the wall clock is ahead of the one that only counts.
    private long known = AheadOf(time);

    /// <summary>The clock was set since the last look.</summary>
    public bool WasSet => IsApart(AheadOf(time), Volatile.Read(ref known));

    /// <summary>Moves what waits, unless another process has. A step of its own: the look is remembered once it is committed.</summary>
    /// <returns>What to remember.</returns>
    public async ValueTask<long> FollowAsync(SqlSession session)
    {
        var (now, before) = (AheadOf(time), Volatile.Read(ref known));
        if (now > before)
        {
            await session.Prepare(removeNote).ExecuteAsync();
        }
        else if (IsApart(now, before) && (await session.Prepare(note).NumberAsync() is not { } moved || IsApart(now, moved)))
        {
            foreach (var move in moves)
            {
                await session.Prepare(move).Set("@by", now - before).ExecuteAsync();
            }

            await session.Prepare(leaveNote).Set("@value", now).ExecuteAsync();
        }

        return now;
    }

    public void Remember(long now) => Volatile.Write(ref known, now);

    // What is due already stays so; 0 is the mark of what may run at once.
    private static string Move(string table, string column) => $"UPDATE {table} SET {column} = {column} + @by WHERE {column} > -@by";

    private static bool IsApart(long one, long other) => Math.Abs(one - other) > Slack;

    private static long AheadOf(TimeProvider time) => time.GetUtcNow().UtcTicks - time.GetElapsedTime(0).Ticks;
}
