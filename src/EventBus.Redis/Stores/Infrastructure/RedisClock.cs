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
    /// Returns the common time, and moves it forward to the caller's common time if the caller is ahead by more than a
    /// limit. KEYS: microseconds by which the common clock is ahead of the server's clock. ARGV: the caller's common
    /// time, or 0 if it does not know one yet; the limit. All times are in microseconds since the Unix epoch.
    /// </summary>
    private const string CheckScript = """
        local time = redis.call('TIME')
        local server = time[1] * 1000000 + time[2]

        -- A value that was damaged by hand (no number, negative, or above 100 years) counts as missing.
        local stored = redis.pcall('GET', KEYS[1])
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

    // A slower reply is too inaccurate, and used only for the first check.
    private static readonly TimeSpan MaxReplyTime = TimeSpan.FromSeconds(1);

    // The result of the last check; null before the first.
    private Anchor? anchor;

    // The state at the start of the last check: the monotonic clock (0 before the first check), and the offset of the
    // instance's clock from it.
    private long checkedAt;
    private long checkedOffset;

    // 1 while a caller does the check.
    private int isChecking;

    public override TimeZoneInfo LocalTimeZone => inner.LocalTimeZone;

    public override long TimestampFrequency => inner.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() =>
        Volatile.Read(ref anchor) is { } last ? DateTimeOffset.UnixEpoch.AddTicks(last.TimeAt(inner.GetElapsedTime(0))) : inner.GetUtcNow();

    public override long GetTimestamp() => inner.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        inner.CreateTimer(callback, state, dueTime, period);

    /// <summary>
    /// Checks the server's clock if the last check is old, or if the clock of the instance was set or the computer has
    /// slept. One caller at a time does the check; the others return at once. Never throws: without a reply, this clock
    /// continues with elapsed time.
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
            var before = inner.GetElapsedTime(0);
            var known = Volatile.Read(ref anchor);
            Volatile.Write(ref checkedAt, before.Ticks);
            Volatile.Write(ref checkedOffset, OffsetOf(before));
            var commonTime = (long)await link.AskAsync(
                database => database.ScriptEvaluateAsync(CheckScript, [link.Key("clock")], [
                    known is null ? 0 : known.TimeAt(before) / TimeSpan.TicksPerMicrosecond,
                    (long)Slack.TotalMicroseconds
                ]), cancellationToken);
            var replyTime = inner.GetElapsedTime(0) - before;
            if (replyTime < MaxReplyTime || known is null)
            {
                // The server is assumed to have read its clock in the middle of the call.
                Volatile.Write(ref anchor, new Anchor(commonTime * TimeSpan.TicksPerMicrosecond, before + (replyTime / 2)));
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
        var elapsed = inner.GetElapsedTime(0);
        var last = Volatile.Read(ref checkedAt);
        var wasSet = Math.Abs(OffsetOf(elapsed) - Volatile.Read(ref checkedOffset)) > Slack.Ticks;
        return last == 0 || elapsed.Ticks - last >= Period.Ticks || wasSet;
    }

    /// <summary>Gets the offset of the instance's clock from the monotonic clock, in ticks.</summary>
    private long OffsetOf(TimeSpan elapsed) => inner.GetUtcNow().UtcTicks - elapsed.Ticks;

    /// <summary>The common time, in ticks since the Unix epoch, at a time of the monotonic clock.</summary>
    private sealed record Anchor(long Ticks, TimeSpan Elapsed)
    {
        public long TimeAt(TimeSpan elapsed) => Ticks + (elapsed - Elapsed).Ticks;
    }
}
