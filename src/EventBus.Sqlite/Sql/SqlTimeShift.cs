namespace EventBus;

/// <summary>
/// Moves the entries in a database when the clock of the machine is set, so that leases do not end early and plans are
/// due at their original time. <see cref="SqlClock"/> describes when that is necessary.
/// </summary>
/// <param name="prefix">The prefix of the table names.</param>
internal sealed class SqlTimeShift(string prefix)
{
    // The row of the meta table with the amount by which the machine's clock was last set forward, less what was set
    // back since.
    private const string ForwardRow = "clock.forward";

    // The row of the meta table with the time of SqlClock before it was set forward.
    private const string ForwardAtRow = "clock.forward_at";

    // The due time of a saga is either the end of a lease or a planned time, and the row does not say which. Leases end
    // within this time, so only later times are moved.
    private static readonly TimeSpan LongestLease = TimeSpan.FromMinutes(5);

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

    private readonly SqlMeta meta = new(prefix);

    /// <summary>Moves the entries if the machine's clock was set since the last check.</summary>
    public async ValueTask MoveEntriesAsync(SqlSession session, SqlClockCheck last, SqlClockCheck now)
    {
        if (now.ClockOffset - last.ClockOffset > SqlClockCheck.Slack)
        {
            await MoveLeasesAsync(session, now.ClockOffset - last.ClockOffset, now);
        }
        else if (now.MachineOffset < last.MachineOffset)
        {
            var forward = await meta.ReadAsync(session, ForwardRow) ?? 0;
            if (forward > 0)
            {
                await PostponePlansAsync(session, Math.Min(forward, last.MachineOffset - now.MachineOffset), forward, now);
            }
        }
    }

    /// <summary>Moves the leases forward, because the machine's clock was set forward.</summary>
    private async ValueTask MoveLeasesAsync(SqlSession session, long by, SqlClockCheck now)
    {
        foreach (var statement in whenSetForward)
        {
            await session.Prepare(statement).Set("@by", by).ExecuteAsync();
        }

        await meta.WriteAsync(session, ForwardRow, by);
        await meta.WriteAsync(session, ForwardAtRow, now.Time - by);
    }

    /// <summary>Postpones the planned entries, because the machine's clock was set back.</summary>
    private async ValueTask PostponePlansAsync(SqlSession session, long by, long forward, SqlClockCheck now)
    {
        var before = await meta.ReadAsync(session, ForwardAtRow);
        foreach (var statement in whenSetBack)
        {
            await session.Prepare(statement).Set("@by", by).Set("@now", now.Time).Set("@before", before).ExecuteAsync();
        }

        var remaining = forward - by;
        await meta.WriteAsync(session, ForwardRow, remaining > SqlClockCheck.Slack ? remaining : 0);
    }
}
