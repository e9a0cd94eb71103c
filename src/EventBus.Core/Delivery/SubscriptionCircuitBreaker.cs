namespace EventBus;

/// <summary>
/// Pauses a subscription after a number of consecutive failed attempts, and lets one event at a time through (a probe)
/// until one succeeds. Thread-safe.
/// </summary>
/// <remarks>
/// <see cref="FailureWindow"/> decides when the subscription is paused, and <see cref="ProbeSchedule"/> when it is
/// probed. Failures that say nothing about the service behind the handler (an unreadable message, a permanent failure)
/// are not counted.
/// </remarks>
internal sealed class SubscriptionCircuitBreaker(
    string subscription,
    CircuitBreakerSettings settings,
    RetryPolicy retry,
    WakeSignal retryLoop,
    BusServices services)
{
    private readonly TimeProvider time = services.StoreTime;
    private readonly Lock sync = new();
    private readonly FailureWindow failures = new(settings, services.StoreTime);
    private readonly ProbeSchedule probes = new(settings.Window, services.StoreTime);
    private volatile bool isPaused;
    private volatile bool stopping;
    private DateTimeOffset? resumedAt;
    private TaskCompletionSource mayEnterSignal = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsPaused => isPaused;

    /// <summary>True if a delivery may begin, possibly as the probe.</summary>
    public bool MayEnter => !isPaused || probes.IsReady;

    /// <summary>True if the bus stops during a pause: deliveries that were taken and not begun are released.</summary>
    public bool IsOver => stopping && isPaused;

    /// <inheritdoc cref="ProbeSchedule.WantsDelivery"/>
    public bool WantsDelivery => probes.WantsDelivery;

    /// <summary>The time of the next probe; null when there is nothing to wait for.</summary>
    public DateTimeOffset? ProbeAt
    {
        get
        {
            lock (sync)
            {
                return isPaused && !stopping ? probes.DueAt : null;
            }
        }
    }

    /// <summary>Gets the time since which the subscription runs; the current time during a pause.</summary>
    /// <param name="start">The time at which the subscription started.</param>
    public DateTimeOffset RunningSince(DateTimeOffset start)
    {
        lock (sync)
        {
            return isPaused ? time.GetUtcNow() : resumedAt ?? start;
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

        var wasPaused = CountFailure(threw.Exception);
        return wasPaused ? threw with { Counts = false } : threw;
    }

    /// <summary>Records a success of a handler: ends the pause and resets the count.</summary>
    public void Succeeded()
    {
        if (failures.IsEmpty && !isPaused)
        {
            return;
        }

        lock (sync)
        {
            failures.Reset();
            if (!isPaused || stopping)
            {
                return;
            }

            isPaused = false;
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
        if (!isPaused)
        {
            return true;
        }

        lock (sync)
        {
            if (isPaused && !stopping && probes.TryBeginWithDelivery(out probe))
            {
                HoldBackOthers();
            }

            return probe != 0 || !isPaused;
        }
    }

    /// <summary>
    /// Requests permission to probe with a retry: when a probe is due, or was due and found no event.
    /// </summary>
    public bool TryBeginProbe(out long probe)
    {
        lock (sync)
        {
            probe = 0;
            if (!isPaused || stopping || !probes.TryBeginWithRetry(out probe))
            {
                return false;
            }

            HoldBackOthers();
            return true;
        }
    }

    /// <summary>Withdraws a probe that found no event: the next event that arrives is the probe.</summary>
    public void Withdraw(long probe)
    {
        lock (sync)
        {
            if (isPaused && probes.TryWithdraw(probe))
            {
                AdmitWaiting();
            }
        }
    }

    /// <summary>Ends a probe. If it succeeded, the pause has already ended.</summary>
    public void EndProbe(long probe)
    {
        lock (sync)
        {
            if (!isPaused || !probes.TryEnd(probe))
            {
                return;
            }
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
                isPaused = false;
            }

            AdmitWaiting();
        }

        retryLoop.Pulse();
    }

    /// <summary>Counts a failed attempt, and pauses the subscription if enough attempts have failed.</summary>
    /// <returns>True if the subscription was already paused.</returns>
    private bool CountFailure(Exception exception)
    {
        TimeSpan delay;
        lock (sync)
        {
            if (isPaused || stopping)
            {
                probes.AddFailure();
                return isPaused;
            }

            if (!failures.Add())
            {
                return false;
            }

            delay = probes.Start();
            isPaused = true;
            HoldBackOthers();
        }

        services.Log.Paused(
            subscription,
            settings.Failures,
            settings.Window,
            time.GetUtcNow() + delay,
            ExceptionText.TypeOf(exception),
            exception);
        retryLoop.Pulse();
        return false;
    }

    /// <summary>
    /// Lets deliveries that call <see cref="WhenMayEnterAsync"/> from now on wait. Call it under the lock.
    /// </summary>
    private void HoldBackOthers()
    {
        if (mayEnterSignal.Task.IsCompleted)
        {
            mayEnterSignal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    private void AdmitWaiting() => mayEnterSignal.TrySetResult();
}
