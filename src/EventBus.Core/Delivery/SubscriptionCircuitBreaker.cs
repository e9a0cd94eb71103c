namespace EventBus;

/// <summary>
/// Pauses a subscription when all its attempts fail, and lets one event at a time through until one succeeds.
/// Thread-safe.
/// </summary>
/// <remarks>
/// The state is Open (events flow) until enough attempts in a row have failed within a short time; then Paused until
/// the next probe is due; then Ready if there was nothing to probe with; then Probing. A success sets the state to Open
/// from every other state. Failures that say nothing about the service behind the handler (an unreadable message, a
/// permanent failure) are not counted.
/// </remarks>
internal sealed class SubscriptionCircuitBreaker(
    string subscription,
    CircuitBreakerSettings rule,
    RetryPolicy retry,
    WakeSignal retries,
    BusServices services)
{
    private static readonly TimeSpan LongestFirstDelay = TimeSpan.FromSeconds(30);

    // The delay before the next probe if the result of a probe says nothing about the service behind the handler.
    private static readonly TimeSpan ShortDelay = TimeSpan.FromSeconds(1);

    private readonly TimeProvider time = services.StoreTime;
    private readonly Lock sync = new();
    private readonly Backoff probeDelays = new(TimeMath.Shorter(rule.Time, LongestFirstDelay), TimeSpan.FromMinutes(5));
    private readonly long[] failedAt = new long[rule.Count];
    private long inARow;
    private volatile State state;
    private volatile bool stopping;
    private DateTimeOffset? openedAt;
    private TimeSpan probeAt;
    private int pauses;
    private long lastProbe;
    private bool probeFailed;
    private TaskCompletionSource mayEnter = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private enum State
    {
        Open,
        Paused,
        Ready,
        Probing,
    }

    public bool IsPaused => state != State.Open;

    /// <summary>True if a delivery may begin, possibly as the probe.</summary>
    public bool MayEnter => state is State.Open or State.Ready;

    /// <summary>True if the bus stops during a pause: deliveries that were taken and not begun are released.</summary>
    public bool IsOver => stopping && IsPaused;

    /// <summary>
    /// True if the last probe was a retry, so that the next is a new delivery: a retry that can never succeed must not
    /// prolong the pause.
    /// </summary>
    public bool WantsDelivery { get; private set; }

    /// <summary>The time of the next probe; null when there is nothing to wait for.</summary>
    public DateTimeOffset? ProbeAt
    {
        get
        {
            lock (sync)
            {
                return state == State.Paused && !stopping ? time.GetUtcNow() + (probeAt - Elapsed) : null;
            }
        }
    }

    /// <summary>Gets the time since which events have been flowing; the current time during a pause.</summary>
    /// <param name="start">The time at which the subscription started.</param>
    public DateTimeOffset OpenSince(DateTimeOffset start)
    {
        lock (sync)
        {
            return state != State.Open ? time.GetUtcNow() : openedAt ?? start;
        }
    }

    /// <summary>
    /// Counts a failed attempt and returns the failure. A failure during the pause is marked as not counted.
    /// </summary>
    public Failure RecordFailure(Failure failure) =>
        failure is Threw threw && !retry.IsPermanent(threw.Exception) && Failed() ? threw with { Counts = false } : failure;

    /// <summary>Records a success of a handler: ends the pause and resets the count.</summary>
    public void Succeeded()
    {
        if (Volatile.Read(ref inARow) == 0 && state == State.Open)
        {
            return;
        }

        lock (sync)
        {
            inARow = 0;
            if (state == State.Open || stopping)
            {
                return;
            }

            (state, openedAt) = (State.Open, time.GetUtcNow());
            Admit();
        }

        services.Log.Resumed(subscription);
        retries.Pulse();
    }

    /// <summary>Completes when <see cref="TryEnter"/> may succeed.</summary>
    public Task WhenMayEnterAsync()
    {
        lock (sync)
        {
            return MayEnter || stopping ? Task.CompletedTask : mayEnter.Task;
        }
    }

    /// <summary>Requests permission to begin a delivery.</summary>
    /// <param name="probe">
    /// The number of the probe if the delivery is one, to be ended or withdrawn; 0 otherwise.
    /// </param>
    public bool TryEnter(out long probe)
    {
        probe = 0;
        if (state == State.Open)
        {
            return true;
        }

        lock (sync)
        {
            if (state == State.Ready && !stopping)
            {
                WantsDelivery = false;
                probe = Begin();
            }

            return probe != 0 || state == State.Open;
        }
    }

    /// <summary>
    /// Requests permission to probe with a retry: when a probe is due, or was due and found no event.
    /// </summary>
    public bool TryBeginProbe(out long probe)
    {
        lock (sync)
        {
            var isDue = state == State.Ready || (state == State.Paused && Elapsed >= probeAt);
            probe = isDue && !stopping ? Begin() : 0;
            WantsDelivery |= probe != 0;
            return probe != 0;
        }
    }

    /// <summary>Withdraws a probe that found no event: the next event that arrives is the probe.</summary>
    public void Withdraw(long probe)
    {
        lock (sync)
        {
            if (IsCurrent(probe))
            {
                state = State.Ready;
                Admit();
            }
        }
    }

    /// <summary>Ends a probe. If it succeeded, the state is already Open.</summary>
    public void EndProbe(long probe)
    {
        lock (sync)
        {
            if (!IsCurrent(probe))
            {
                return;
            }

            state = State.Paused;
            if (probeFailed)
            {
                pauses++;
            }

            probeAt = Elapsed + (probeFailed ? probeDelays.After(pauses) : ShortDelay);
        }

        retries.Pulse();
    }

    /// <summary>Stops pauses and probes because the bus stops.</summary>
    /// <param name="letThrough">
    /// True to let the queued events through as if there were no pause, because they exist nowhere else.
    /// </param>
    public void Stop(bool letThrough)
    {
        lock (sync)
        {
            stopping = true;
            state = letThrough ? State.Open : state;
            Admit();
        }

        retries.Pulse();
    }

    /// <summary>Counts a failed attempt, and pauses the subscription if it is one too many.</summary>
    /// <returns>True if it was already paused.</returns>
    private bool Failed()
    {
        TimeSpan delay;
        lock (sync)
        {
            if (state != State.Open || stopping)
            {
                probeFailed = true;
                return state != State.Open;
            }

            // A circular buffer: a new failure overwrites the one that is `count` failures older.
            var now = time.GetTimestamp();
            failedAt[inARow % failedAt.Length] = now;
            inARow++;
            if (inARow < failedAt.Length || time.GetElapsedTime(failedAt[inARow % failedAt.Length], now) > rule.Time)
            {
                return false;
            }

            state = State.Paused;
            mayEnter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            pauses = 1;
            delay = probeDelays.After(pauses);
            probeAt = Elapsed + delay;
            WantsDelivery = false;
        }

        services.Log.Paused(subscription, rule.Count, rule.Time, time.GetUtcNow() + delay);
        retries.Pulse();
        return false;
    }

    /// <summary>
    /// The time on the monotonic clock. Probes use it, so that changes of the system clock have no effect.
    /// </summary>
    private TimeSpan Elapsed => time.GetElapsedTime(0);

    private long Begin()
    {
        state = State.Probing;
        probeFailed = false;
        if (mayEnter.Task.IsCompleted)
        {
            mayEnter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        lastProbe++;
        return lastProbe;
    }

    private void Admit() => mayEnter.TrySetResult();

    private bool IsCurrent(long probe) => state == State.Probing && probe == lastProbe;
}
