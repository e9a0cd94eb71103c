namespace EventBus;

/// <summary>
/// Schedules the probes of a paused subscription: one at a time, each after a delay that grows with every failed probe.
/// The caller holds a lock, except to read <see cref="IsReady"/> and <see cref="WantsDelivery"/>.
/// </summary>
/// <remarks>
/// The state is Waiting until the next probe is due. Then it is Probing, or Ready while no event is available for the
/// probe. It has no meaning while the subscription is not paused.
/// </remarks>
/// <param name="window">
/// The window of the circuit breaker, which is also the delay before the first probe, up to 30 s.
/// </param>
/// <param name="time">The clock.</param>
internal sealed class ProbeSchedule(TimeSpan window, TimeProvider time)
{
    private static readonly TimeSpan MaxFirstDelay = TimeSpan.FromSeconds(30);

    // The delay before the next probe if the result of a probe says nothing about the service behind the handler.
    private static readonly TimeSpan ShortDelay = TimeSpan.FromSeconds(1);

    private readonly Backoff probeDelays = new(TimeMath.Shorter(window, MaxFirstDelay), TimeSpan.FromMinutes(5));
    private volatile State state;
    private TimeSpan dueAt;

    // The number of delays of this pause: one, and one more for each failed probe.
    private int delays;

    // The number of the last probe. Probes are numbered from 1, so that the end of an earlier one has no effect.
    private long lastProbe;
    private bool probeHasFailed;

    private enum State
    {
        Waiting,
        Ready,
        Probing,
    }

    /// <summary>True if the next event that arrives is the probe.</summary>
    public bool IsReady => state == State.Ready;

    /// <summary>
    /// True if the last probe was a retry, so that the next is a new delivery: a retry that can never succeed must not
    /// prolong the pause.
    /// </summary>
    public bool WantsDelivery { get; private set; }

    /// <summary>The time of the next probe; null when there is nothing to wait for.</summary>
    public DateTimeOffset? DueAt => state == State.Waiting ? time.GetUtcNow() + (dueAt - Elapsed) : null;

    /// <summary>
    /// The time on the monotonic clock. Probes use it, so that changes of the system clock have no effect.
    /// </summary>
    private TimeSpan Elapsed => time.GetElapsedTime(0);

    /// <summary>Begins a pause.</summary>
    /// <returns>The delay before the first probe.</returns>
    public TimeSpan Start()
    {
        state = State.Waiting;
        WantsDelivery = false;
        delays = 1;
        return ScheduleAfter(probeDelays.After(delays));
    }

    /// <summary>Begins a probe with a new delivery, if a probe was due and found no event.</summary>
    /// <param name="probe">The number of the probe; 0 for none.</param>
    public bool TryBeginWithDelivery(out long probe) => TryBegin(IsReady, withRetry: false, out probe);

    /// <summary>Begins a probe with a retry, if a probe is due, or was due and found no event.</summary>
    /// <param name="probe">The number of the probe; 0 for none.</param>
    public bool TryBeginWithRetry(out long probe) =>
        TryBegin(IsReady || (state == State.Waiting && Elapsed >= dueAt), withRetry: true, out probe);

    /// <summary>Records that an attempt has failed during the pause.</summary>
    public void AddFailure() => probeHasFailed = true;

    /// <summary>Withdraws a probe that found no event.</summary>
    /// <returns>False if it is not the current probe.</returns>
    public bool TryWithdraw(long probe)
    {
        var isCurrent = IsCurrent(probe);
        if (isCurrent)
        {
            state = State.Ready;
        }

        return isCurrent;
    }

    /// <summary>Ends a probe that did not succeed.</summary>
    /// <returns>False if it is not the current probe.</returns>
    public bool TryEnd(long probe)
    {
        if (!IsCurrent(probe))
        {
            return false;
        }

        state = State.Waiting;
        var delay = ShortDelay;
        if (probeHasFailed)
        {
            delays++;
            delay = probeDelays.After(delays);
        }

        ScheduleAfter(delay);
        return true;
    }

    private bool TryBegin(bool mayBegin, bool withRetry, out long probe)
    {
        probe = 0;
        if (!mayBegin)
        {
            return false;
        }

        state = State.Probing;
        probeHasFailed = false;
        WantsDelivery = withRetry;
        lastProbe++;
        probe = lastProbe;
        return true;
    }

    private TimeSpan ScheduleAfter(TimeSpan delay)
    {
        dueAt = Elapsed + delay;
        return delay;
    }

    private bool IsCurrent(long probe) => state == State.Probing && probe == lastProbe;
}
