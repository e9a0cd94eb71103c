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
    private Bucket? current;

    /// <summary>Creates the tokens for deadlines of one duration.</summary>
    /// <param name="time">The clock of the timers.</param>
    /// <param name="timeout">The duration of each deadline.</param>
    /// <param name="longestInterval">
    /// The maximum delay of a cancellation. If 1/40 of the timeout is shorter, that is used.
    /// </param>
    /// <param name="ticksPerSecond">The unit of the time that is passed to <see cref="Token"/>.</param>
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
    /// The current time, in the ticks of the constructor. A clock that jumps only begins a new interval.
    /// </param>
    public CancellationToken Token(long now)
    {
        var bucket = Volatile.Read(ref current);
        return bucket is not null && now >= bucket.From && now < bucket.Until ? bucket.Token : Renew(now);
    }

    private CancellationToken Renew(long now)
    {
        // Two threads may replace the token at the same time. Each then uses its own token, and one of the two is
        // shared from then on.
        var bucket = new Bucket(now, now + intervalTicks, new CancellationTokenSource(timeout + interval, time), parent);
        Volatile.Write(ref current, bucket);
        return bucket.Token;
    }

    private sealed class Bucket
    {
        private readonly CancellationTokenRegistration link;

        public Bucket(long from, long until, CancellationTokenSource source, CancellationToken parent)
        {
            From = from;
            Until = until;
            Token = source.Token;
            link = parent.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), source);
            Token.UnsafeRegister(static state => ((Bucket)state!).link.Unregister(), this);
        }

        public long From { get; }

        public long Until { get; }

        public CancellationToken Token { get; }
    }
}
