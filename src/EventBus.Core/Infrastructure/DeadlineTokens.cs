namespace EventBus;

/// <summary>
/// Creates deadline tokens without an object for each: all deadlines that start within one short interval share a
/// token.
/// </summary>
/// <remarks>
/// A token is cancelled between its timeout and one interval later, and when the parent is cancelled. Thread-safe.
/// </remarks>
internal sealed class DeadlineTokens
{
    private readonly TimeProvider time;
    private readonly TimeSpan timeout;
    private readonly CancellationToken parent;
    private readonly TimeSpan interval;
    private readonly long intervalTicks;
    private Interval? current;

    /// <summary>Creates the tokens for deadlines of one duration.</summary>
    /// <param name="time">The clock of the timers.</param>
    /// <param name="timeout">The duration of each deadline.</param>
    /// <param name="longestInterval">
    /// The maximum delay of a cancellation. If 1/40 of the timeout is shorter, the delay is at most that.
    /// </param>
    /// <param name="ticksPerSecond">The frequency of the timestamps that are passed to <see cref="Token"/>.</param>
    /// <param name="parent">Cancels all tokens.</param>
    public DeadlineTokens(TimeProvider time, TimeSpan timeout, TimeSpan longestInterval, long ticksPerSecond, CancellationToken parent)
    {
        this.time = time;
        this.timeout = timeout;
        this.parent = parent;
        interval = TimeMath.Shorter(timeout / 40, longestInterval);
        intervalTicks = (long)(interval.TotalSeconds * ticksPerSecond);
    }

    /// <summary>Returns the token for work that starts now.</summary>
    /// <param name="now">
    /// The current time as a timestamp. If the clock was set forward or back, only a new interval begins.
    /// </param>
    public CancellationToken Token(long now)
    {
        var known = Volatile.Read(ref current);
        return known is not null && now >= known.From && now < known.Until ? known.Token : BeginInterval(now);
    }

    private CancellationToken BeginInterval(long now)
    {
        // Two threads may replace the token at the same time. Each then uses its own token, and one of the two is
        // shared from then on.
        var created = new Interval(now, now + intervalTicks, new CancellationTokenSource(timeout + interval, time), parent);
        Volatile.Write(ref current, created);
        return created.Token;
    }

    /// <summary>The token of all deadlines that start in one interval.</summary>
    private sealed class Interval
    {
        private readonly CancellationTokenRegistration link;

        public Interval(long from, long until, CancellationTokenSource source, CancellationToken parent)
        {
            From = from;
            Until = until;
            Token = source.Token;
            link = parent.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), source);
            Token.UnsafeRegister(static state => ((Interval)state!).link.Unregister(), this);
        }

        public long From { get; }

        public long Until { get; }

        public CancellationToken Token { get; }
    }
}
