namespace EventBus;

/// <summary>
/// Provides the time for due times and leases: the clock of the Redis server, which all instances share, continued with
/// elapsed time between two checks. At a check, it goes back by at most about 2 s. Thread-safe.
/// </summary>
/// <remarks>
/// Changes of an instance's clock have no effect. If the server's clock is set back, the first instance that checks it
/// stores in Redis how far the common clock is ahead of the server's clock, and all instances use that offset. If the
/// server's clock is set forward, the common clock follows. The clock of the instance is used until the first check,
/// and if the instance lacks the permission for a check.
/// </remarks>
/// <param name="inner">The clock of the instance.</param>
internal sealed class RedisClock(TimeProvider inner) : TimeProvider
{
    /// <summary>
    /// Returns the common time, and moves it forward to the caller's time if the caller is ahead by more than a limit.
    /// KEYS: microseconds by which the common clock is ahead of the server's clock. ARGV: the caller's time, or 0 for
    /// none; the limit. All times are in microseconds since the Unix epoch.
    /// </summary>
    private const string CheckScript = """
        local function microseconds() local time = redis.call('TIME') return time[1] * 1000000 + time[2] end

        -- A value that was damaged by hand counts as missing.
        local server, stored = microseconds(), redis.pcall('GET', KEYS[1])
        local ahead = type(stored) == 'string' and tonumber(stored) or 0
        if not (ahead >= 0 and ahead <= 3.2e15) then ahead = 0 end
        local known = tonumber(ARGV[1])
        if known - server - ahead > tonumber(ARGV[2]) then
          ahead = known - server
          redis.call('SET', KEYS[1], string.format('%.0f', ahead))
        end
        return string.format('%.0f', server + ahead)
        """;

    // Allows for the error of a check, and for clocks that run at different speeds.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    // A reply that took longer is too inaccurate.
    private static readonly TimeSpan MaxReplyTime = TimeSpan.FromSeconds(1);

    private Anchor? anchor;
    private long checkedAt;
    private long ahead;
    private int isChecking;

    public override TimeZoneInfo LocalTimeZone => inner.LocalTimeZone;

    public override long TimestampFrequency => inner.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() =>
        Volatile.Read(ref anchor) is { } known ? DateTimeOffset.UnixEpoch.AddTicks(known.At(inner.GetElapsedTime(0))) : inner.GetUtcNow();

    public override long GetTimestamp() => inner.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        inner.CreateTimer(callback, state, dueTime, period);

    /// <summary>
    /// Checks the server's clock if the last check is old, or if the clock of the instance was set (which also seems to
    /// be the case when a computer resumes from sleep). One caller at a time does the check; the others return at once.
    /// Never throws: without a reply, this clock continues with elapsed time.
    /// </summary>
    /// <param name="link">The connection.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task FollowAsync(RedisStoreLink link, CancellationToken cancellationToken)
    {
        if (!IsOld() || Interlocked.Exchange(ref isChecking, 1) == 1)
        {
            return;
        }

        try
        {
            var (before, known) = (inner.GetElapsedTime(0), Volatile.Read(ref anchor));
            Volatile.Write(ref checkedAt, before.Ticks);
            Volatile.Write(ref ahead, OffsetOf(before));
            var shown = (long)await link.AskAsync(
                database => database.ScriptEvaluateAsync(CheckScript, [link.Key("clock")], [
                    known is null ? 0 : known.At(before) / TimeSpan.TicksPerMicrosecond,
                    (long)Slack.TotalMicroseconds
                ]), cancellationToken);
            var took = inner.GetElapsedTime(0) - before;
            if (took < MaxReplyTime || known is null)
            {
                Volatile.Write(ref anchor, new Anchor(shown * TimeSpan.TicksPerMicrosecond, before + (took / 2)));
            }
        }
        catch (Exception)
        {
            // The server is unavailable or full, or denies the command. Other calls report that.
        }
        finally
        {
            Volatile.Write(ref isChecking, 0);
        }
    }

    private bool IsOld()
    {
        var (elapsed, last) = (inner.GetElapsedTime(0), Volatile.Read(ref checkedAt));
        return last == 0 || elapsed.Ticks - last >= Period.Ticks || Math.Abs(OffsetOf(elapsed) - Volatile.Read(ref ahead)) > Slack.Ticks;
    }

    /// <summary>Gets the offset of the instance's clock from the monotonic clock, in ticks.</summary>
    private long OffsetOf(TimeSpan elapsed) => inner.GetUtcNow().UtcTicks - elapsed.Ticks;

    /// <summary>The common time, in ticks since the Unix epoch, at a time of the monotonic clock.</summary>
    private sealed record Anchor(long Ticks, TimeSpan Elapsed)
    {
        public long At(TimeSpan elapsed) => Ticks + (elapsed - Elapsed).Ticks;
    }
}
