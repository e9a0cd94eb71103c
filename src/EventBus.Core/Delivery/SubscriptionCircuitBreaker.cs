namespace EventBus;

/// <summary>
/// Pauses a subscription after a number of consecutive failed attempts, and lets one event at a time through (a probe)
/// until one succeeds. Thread-safe.
/// </summary>
/// <remarks>
/// The state is Running until enough attempts have failed; then Paused until the next probe is due; then Probing, or
/// Ready while no event is available for the probe. A success sets the state to Running from every other state.
/// Failures that say nothing about the service behind the handler (an unreadable message, a permanent failure) are not
/// counted.
/// </remarks>
internal sealed class SubscriptionCircuitBreaker(
    string subscription,
    CircuitBreakerSettings settings,
    RetryPolicy retry,
    WakeSignal retryLoop,
    BusServices services)
{
    private static readonly TimeSpan MaxFirstDelay = TimeSpan.FromSeconds(30);

    // The delay before the next probe if the result of a probe says nothing about the service behind the handler.
    private static readonly TimeSpan ShortDelay = TimeSpan.FromSeconds(1);

    private readonly TimeProvider time = services.StoreTime;
    private readonly Lock sync = new();
    private readonly Backoff probeDelays = new(TimeMath.Shorter(settings.Window, MaxFirstDelay), TimeSpan.FromMinutes(5));

    // The timestamps of the last consecutive failures, as a circular buffer.
    private readonly long[] failedAt = new long[settings.Failures];
    private long consecutiveFailures;
    private volatile State state;
    private volatile bool stopping;
    private DateTimeOffset? resumedAt;
    private TimeSpan probeAt;

    // The number of delays of this pause: one, and one more for each failed probe.
    private int delays;

    // The number of the last probe. Probes are numbered from 1, so that the end of an earlier one has no effect.
    private long lastProbe;
    private bool probeHasFailed;
    private TaskCompletionSource mayEnterSignal = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private enum State
    {
        Running,
        Paused,
        Ready,
        Probing,
    }

    public bool IsPaused => state != State.Running;

    /// <summary>True if a delivery may begin, possibly as the probe.</summary>
    public bool MayEnter => state is State.Running or State.Ready;

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

    /// <summary>Gets the time since which the subscription runs; the current time during a pause.</summary>
    /// <param name="start">The time at which the subscription started.</param>
    public DateTimeOffset RunningSince(DateTimeOffset start)
    {
        lock (sync)
        {
            return IsPaused ? time.GetUtcNow() : resumedAt ?? start;
        }
    }

    /// <summary>
    /// Counts a failed attempt. Returns the failure; during a pause, marked so that it does not use up a retry of the
    /// event.
    /// </summary>
    public Failure RecordFailure(Failure failure)
    {
        if (failure is not Threw threw || retry.IsPermanent(threw.Exception))
        {
            return failure;
        }

        var wasPaused = CountFailure();
        return wasPaused ? threw with { Counts = false } : threw;
    }

    /// <summary>Records a success of a handler: ends the pause and resets the count.</summary>
    public void Succeeded()
    {
        if (Volatile.Read(ref consecutiveFailures) == 0 && state == State.Running)
        {
            return;
        }

        lock (sync)
        {
            consecutiveFailures = 0;
            if (state == State.Running || stopping)
            {
                return;
            }

            state = State.Running;
            resumedAt = time.GetUtcNow();
            AdmitWaiting();
        }

        services.Log.Resumed(subscription);
        retryLoop.Pulse();
    }

    /// <summary>Completes when <see cref="TryEnter"/> may succeed.</summary>
    public Task WhenMayEnterAsync()
    {
        lock (sync)
        {
            return MayEnter || stopping ? Task.CompletedTask : mayEnterSignal.Task;
        }
    }

    /// <summary>Requests permission to begin a delivery.</summary>
    /// <param name="probe">
    /// The number of the probe if the delivery is one; 0 otherwise. The caller ends or withdraws the probe.
    /// </param>
    public bool TryEnter(out long probe)
    {
        probe = 0;
        if (state == State.Running)
        {
            return true;
        }

        lock (sync)
        {
            if (state == State.Ready && !stopping)
            {
                WantsDelivery = false;
                probe = BeginProbe();
            }

            return probe != 0 || state == State.Running;
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
            if (!isDue || stopping)
            {
                probe = 0;
                return false;
            }

            probe = BeginProbe();
            WantsDelivery = true;
            return true;
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
                AdmitWaiting();
            }
        }
    }

    /// <summary>Ends a probe. If it succeeded, the state is already Running.</summary>
    public void EndProbe(long probe)
    {
        lock (sync)
        {
            if (!IsCurrent(probe))
            {
                return;
            }

            state = State.Paused;
            var delay = ShortDelay;
            if (probeHasFailed)
            {
                delays++;
                delay = probeDelays.After(delays);
            }

            probeAt = Elapsed + delay;
        }

        retryLoop.Pulse();
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
            if (letThrough)
            {
                state = State.Running;
            }

            AdmitWaiting();
        }

        retryLoop.Pulse();
    }

    /// <summary>Counts a failed attempt, and pauses the subscription if it is one too many.</summary>
    /// <returns>True if the subscription was already paused.</returns>
    private bool CountFailure()
    {
        TimeSpan delay;
        lock (sync)
        {
            if (state != State.Running || stopping)
            {
                probeHasFailed = true;
                return state != State.Running;
            }

            var now = time.GetTimestamp();
            failedAt[consecutiveFailures % failedAt.Length] = now;
            consecutiveFailures++;

            // The next place of the circular buffer holds the oldest failure.
            var oldest = failedAt[consecutiveFailures % failedAt.Length];
            if (consecutiveFailures < failedAt.Length || time.GetElapsedTime(oldest, now) > settings.Window)
            {
                return false;
            }

            state = State.Paused;
            mayEnterSignal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            delays = 1;
            delay = probeDelays.After(delays);
            probeAt = Elapsed + delay;
            WantsDelivery = false;
        }

        services.Log.Paused(subscription, settings.Failures, settings.Window, time.GetUtcNow() + delay);
        retryLoop.Pulse();
        return false;
    }

    /// <summary>
    /// The time on the monotonic clock. Probes use it, so that changes of the system clock have no effect.
    /// </summary>
    private TimeSpan Elapsed => time.GetElapsedTime(0);

    private long BeginProbe()
    {
        state = State.Probing;
        probeHasFailed = false;
        if (mayEnterSignal.Task.IsCompleted)
        {
            mayEnterSignal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        lastProbe++;
        return lastProbe;
    }

    private void AdmitWaiting() => mayEnterSignal.TrySetResult();

    private bool IsCurrent(long probe) => state == State.Probing && probe == lastProbe;
}
