namespace EventBus;

/// <summary>
/// Decides which redelivered events may run at the same time. A redelivered event was attempted before and never
/// settled: it may have ended its process. Each subscription runs one at a time.
/// </summary>
/// <remarks>
/// Redelivered events of several subscriptions run concurrently until one of them ends the process. It is then unknown
/// which one it was, so each of them runs alone from then on: no other redelivered event runs in the process. An event
/// that has run for a long time does not end the process quickly. Therefore an event that must run alone waits for
/// another one no longer than <paramref name="longRun"/>, and others wait for one that runs alone no longer than five
/// seconds. Thread-safe.
/// </remarks>
internal sealed class RedeliveryCoordinator(TimeProvider time, TimeSpan longRun)
{
    private static readonly TimeSpan LongRunAlone = TimeSpan.FromSeconds(5);

    private readonly Lock sync = new();
    private readonly List<RedeliveryRun> running = [];
    private readonly List<long> waitingAlone = [];
    private TaskCompletionSource changed = NewSignal();

    /// <summary>
    /// Lets a redelivered event run if it may run now. The caller must hold a slot, so that the event can begin. It
    /// must call <see cref="RedeliveryRun.CountOthersAsync"/> before it calls the handler.
    /// </summary>
    /// <param name="alone">True if the event must run alone.</param>
    /// <param name="arrived">The time of its first call, as a timestamp.</param>
    /// <param name="mark">
    /// Records that the attempt became a concurrent one. Written at most once, after
    /// <see cref="RedeliveryRun.Counted"/>.
    /// </param>
    /// <returns>The attempt; null when the event must wait.</returns>
    public RedeliveryRun? TryEnter(bool alone, long arrived, ConcurrentMark mark)
    {
        lock (sync)
        {
            if (WaitOf(alone, arrived) > TimeSpan.Zero)
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
    public async Task WhenFreeAsync(bool alone, long arrived, CancellationToken cancellationToken)
    {
        var waits = false;
        try
        {
            while (true)
            {
                Task signal;
                TimeSpan wait;
                lock (sync)
                {
                    wait = WaitOf(alone, arrived);
                    if (wait <= TimeSpan.Zero)
                    {
                        return;
                    }

                    if (alone && !waits)
                    {
                        waits = true;
                        waitingAlone.Add(arrived);
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
            if (waits)
            {
                lock (sync)
                {
                    waitingAlone.Remove(arrived);
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

    /// <summary>Gets the time after which to check again; zero when the event may run.</summary>
    private TimeSpan WaitOf(bool alone, long arrived)
    {
        var wait = TimeSpan.Zero;
        foreach (var run in running)
        {
            // An event that must run alone waits for a long run of any other; the others wait only for such an event.
            var maxRun = run.Alone ? LongRunAlone : TimeSpan.Zero;
            var left = (alone ? longRun : maxRun) - time.GetElapsedTime(run.StartedAt);
            if (left > wait)
            {
                wait = left;
            }
        }

        // Events that arrive one after another must not delay an event that must run alone without limit. That event
        // delays each of them no longer than it would wait for one of them.
        var waited = time.GetElapsedTime(arrived);
        var yields = !alone
            && wait <= TimeSpan.Zero
            && waited < longRun
            && waitingAlone.Exists(since => time.GetElapsedTime(since) >= longRun);
        return yields ? longRun - waited : wait;
    }
}
