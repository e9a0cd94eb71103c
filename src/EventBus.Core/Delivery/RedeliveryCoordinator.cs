namespace EventBus;

/// <summary>
/// Decides which redelivered events may run at the same time. A redelivered event was attempted before and never
/// settled: it may have ended its process. Each subscription runs one at a time.
/// </summary>
/// <remarks>
/// Redelivered events of several subscriptions run concurrently until one of them ends the process. It is then unknown
/// which one it was, so each of them runs alone from then on: no other redelivered event runs in the process. The wait
/// for an event that does not return is limited: an event that must run alone waits until each of the others has run
/// for <paramref name="longRun"/>, and the others wait until an event that runs alone has run for five seconds.
/// Thread-safe.
/// </remarks>
/// <param name="time">The clock.</param>
/// <param name="longRun">The run time after which an event is assumed not to end the process.</param>
internal sealed class RedeliveryCoordinator(TimeProvider time, TimeSpan longRun)
{
    // The time for which other events wait for an event that runs alone.
    private static readonly TimeSpan LongRunAlone = TimeSpan.FromSeconds(5);

    private readonly Lock sync = new();
    private readonly List<RedeliveryRun> running = [];

    // The arrival times of the events that must run alone and wait.
    private readonly List<long> waitingAlone = [];
    private TaskCompletionSource changed = NewSignal();

    /// <summary>The claims of entries that have not begun; empty unless claims count as attempts.</summary>
    public UndecidedClaims Undecided { get; } = new();

    /// <summary>
    /// Begins a claim of entries in a store in which a claim counts as an attempt if the process ends, unless an event
    /// runs alone. The caller must end it with <see cref="UndecidedClaims.EndCall"/>.
    /// </summary>
    /// <param name="wait">The time after which to try again; zero if the claim has begun.</param>
    /// <returns>False if the caller must not claim now.</returns>
    public bool TryBeginClaim(out TimeSpan wait)
    {
        lock (sync)
        {
            wait = WaitOfRunning(alone: false);
            if (wait > TimeSpan.Zero)
            {
                return false;
            }

            Undecided.BeginCall();
            return true;
        }
    }

    /// <summary>
    /// Completes when no claim is undecided, at the latest after the time for which an event that must run alone waits
    /// for another one. Does not throw.
    /// </summary>
    public async Task WhenClaimsAreDecidedAsync(CancellationToken cancellationToken)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(Undecided.WhenNoneAsync(), Task.Delay(longRun, time, linked.Token));
        await linked.CancelAsync();
    }

    /// <summary>
    /// Lets a redelivered event run if it may run now. The caller must hold a slot, so that the event can begin. It
    /// must call <see cref="RedeliveryRun.MarkOthersAsync"/> before it calls the handler.
    /// </summary>
    /// <param name="alone">True if the event must run alone.</param>
    /// <param name="arrivedAt">The timestamp of the first call for the event.</param>
    /// <param name="mark">
    /// Records that the attempt became a concurrent one. Written at most once, after
    /// <see cref="RedeliveryRun.CountStored"/>.
    /// </param>
    /// <returns>The attempt; null when the event must wait.</returns>
    public RedeliveryRun? TryEnter(bool alone, long arrivedAt, ConcurrentMark mark)
    {
        lock (sync)
        {
            if (WaitOf(alone, arrivedAt) > TimeSpan.Zero)
            {
                return null;
            }

            var run = new RedeliveryRun(this, alone, [.. running], mark) { StartedAt = time.GetTimestamp() };
            running.Add(run);
            return run;
        }
    }

    /// <summary>
    /// Completes when an event may run. The caller must then try to enter; another event may enter first.
    /// </summary>
    public async Task WhenFreeAsync(bool alone, long arrivedAt, CancellationToken cancellationToken)
    {
        var isRegistered = false;
        try
        {
            while (true)
            {
                Task signal;
                TimeSpan wait;
                lock (sync)
                {
                    wait = WaitOf(alone, arrivedAt);
                    if (wait <= TimeSpan.Zero)
                    {
                        return;
                    }

                    if (alone && !isRegistered)
                    {
                        isRegistered = true;
                        waitingAlone.Add(arrivedAt);
                    }

                    signal = changed.Task;
                }

                using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                await Task.WhenAny(signal, Task.Delay(wait, time, linked.Token));
                await linked.CancelAsync();
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            if (isRegistered)
            {
                lock (sync)
                {
                    waitingAlone.Remove(arrivedAt);
                    Signal();
                }
            }
        }
    }

    public void Leave(RedeliveryRun run)
    {
        lock (sync)
        {
            running.Remove(run);
            Signal();
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Signal()
    {
        changed.TrySetResult();
        changed = NewSignal();
    }

    /// <summary>
    /// Gets the time after which to check again; zero when the event may run. Call it under the lock.
    /// </summary>
    private TimeSpan WaitOf(bool alone, long arrivedAt)
    {
        var wait = WaitOfRunning(alone);

        // Events that arrive one after another must not delay an event that must run alone without limit. That event
        // delays each of them no longer than it would wait for one of them.
        var waited = time.GetElapsedTime(arrivedAt);
        var yields = !alone
            && wait <= TimeSpan.Zero
            && waited < longRun
            && waitingAlone.Exists(otherArrivedAt => time.GetElapsedTime(otherArrivedAt) >= longRun);
        return yields ? longRun - waited : wait;
    }

    /// <summary>Gets the time to wait for the events that run. Call it under the lock.</summary>
    private TimeSpan WaitOfRunning(bool alone)
    {
        var wait = TimeSpan.Zero;
        foreach (var run in running)
        {
            var waitForOne = TimeSpan.Zero;
            if (alone)
            {
                waitForOne = longRun;
            }
            else if (run.Alone)
            {
                waitForOne = LongRunAlone;
            }

            var left = waitForOne - time.GetElapsedTime(run.StartedAt);
            if (left > wait)
            {
                wait = left;
            }
        }

        return wait;
    }
}
