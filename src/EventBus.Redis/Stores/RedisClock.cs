namespace EventBus;

/// <summary>The clock by which the stores are planned: that of the Redis server, which all instances share, kept by elapsed time between two looks at it. It never goes back by more than a moment. Thread-safe.</summary>
/// <remarks>
/// Setting the clock of an instance changes nothing. When the clock of the server is set back, whichever instance looks first notes in Redis by how much the common clock is ahead of it, and all go on from there. A server whose
/// clock is set forward is followed. Until the first look, and where the instance has no right to look, it is the clock of the instance.
/// </remarks>
/// <param name="inner">The clock of the instance.</param>
internal sealed class RedisClock(TimeProvider inner) : TimeProvider
{
    /// <summary>Says what the common clock shows, and puts it forward to where the caller has it. KEYS: by how many microseconds it is ahead of the server's. ARGV: what the caller has, 0 for nothing; how far that may be ahead. Microseconds since the Unix epoch.</summary>
    private const string Look = """
        local function microseconds() local time = redis.call('TIME') return time[1] * 1000000 + time[2] end

        -- A value that was spoilt by hand is none.
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

    // What a look may be wrong by, and clocks that run at different paces.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    // An answer that took longer says too little about the time.
    private static readonly TimeSpan Timely = TimeSpan.FromSeconds(1);

    private Anchor? anchor;
    private long lookedAt;
    private long ahead;
    private int looking;

    public override TimeZoneInfo LocalTimeZone => inner.LocalTimeZone;

    public override long TimestampFrequency => inner.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => Volatile.Read(ref anchor) is { } known ? DateTimeOffset.UnixEpoch.AddTicks(known.At(inner.GetElapsedTime(0))) : inner.GetUtcNow();

    public override long GetTimestamp() => inner.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => inner.CreateTimer(callback, state, dueTime, period);

    /// <summary>Looks at the server's clock when the last look is old, or the clock of the instance was set, as it seems to be when a computer wakes up; one caller at a time. Never throws: this clock goes on by elapsed time.</summary>
    /// <param name="link">The connection.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task FollowAsync(RedisStoreLink link, CancellationToken cancellationToken)
    {
        if (!IsOld() || Interlocked.Exchange(ref looking, 1) == 1)
        {
            return;
        }

        try
        {
            var (before, known) = (inner.GetElapsedTime(0), Volatile.Read(ref anchor));
            Volatile.Write(ref lookedAt, before.Ticks);
            Volatile.Write(ref ahead, AheadOf(before));
            var shown = (long)await link.AskAsync(
                database => database.ScriptEvaluateAsync(Look, [link.Key("clock")], [known is null ? 0 : known.At(before) / TimeSpan.TicksPerMicrosecond, (long)Slack.TotalMicroseconds]), cancellationToken);
            var took = inner.GetElapsedTime(0) - before;
            if (took < Timely || known is null)
            {
                Volatile.Write(ref anchor, new Anchor(shown * TimeSpan.TicksPerMicrosecond, before + (took / 2)));
            }
        }
        catch (Exception)
        {
            // The server is away, full, or denies it. Whatever else is asked says so.
        }
        finally
        {
            Volatile.Write(ref looking, 0);
        }
    }

    private bool IsOld()
    {
        var (elapsed, last) = (inner.GetElapsedTime(0), Volatile.Read(ref lookedAt));
        return last == 0 || elapsed.Ticks - last >= Period.Ticks || Math.Abs(AheadOf(elapsed) - Volatile.Read(ref ahead)) > Slack.Ticks;
    }

    /// <summary>By how much the clock of the instance is ahead of the one that only counts.</summary>
    private long AheadOf(TimeSpan elapsed) => inner.GetUtcNow().UtcTicks - elapsed.Ticks;

    /// <summary>What the clock showed when a time had elapsed.</summary>
    private sealed record Anchor(long Ticks, TimeSpan Elapsed)
    {
        public long At(TimeSpan elapsed) => Ticks + (elapsed - Elapsed).Ticks;
    }
}
