namespace EventBus;

/// <summary>Deadlines that cost no object each: all that start within one small interval share a token.</summary>
/// <remarks>
/// A token is cancelled between its time-out and one interval later, and when the parent is. Thread-safe.
/// </remarks>
internal sealed class DeadlineTokens
{
    private readonly TimeProvider time;
    private readonly TimeSpan timeout;
    private readonly CancellationToken parent;
    private readonly TimeSpan interval;
    private readonly long intervalTicks;
    private Bucket? current;

    /// <param name="time">The clock of the timers.</param>
    /// <param name="timeout">How long each deadline is.</param>
    /// <param name="longestInterval">How late a token may be. A fortieth of the time-out, where that is less.</param>
    /// <param name="ticksPerSecond">The unit in which <see cref="Token"/> is told the time.</param>
    /// <param name="parent">Cancels all tokens.</param>
    public DeadlineTokens(TimeProvider time, TimeSpan timeout, TimeSpan longestInterval, long ticksPerSecond, CancellationToken parent)
    {
        this.time = time;
        this.timeout = timeout;
        this.parent = parent;

        interval = timeout / 40 < longestInterval ? timeout / 40 : longestInterval;
        intervalTicks = (long)(interval.TotalSeconds * ticksPerSecond);
    }

    /// <summary>The token for what starts now.</summary>
    /// <param name="now">
    /// Now, in the ticks that the constructor was told of. A clock that jumps only begins a new interval.
    /// </param>
    public CancellationToken Token(long now)
    {
        var bucket = Volatile.Read(ref current);
        return bucket is not null && now >= bucket.From && now < bucket.Until ? bucket.Token : Renew(now);
    }

    private CancellationToken Renew(long now)
    {
        // Two threads may both renew: each uses its own token, and one of them is shared from then on.
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
