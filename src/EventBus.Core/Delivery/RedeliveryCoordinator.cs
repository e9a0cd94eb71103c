namespace EventBus;

/// <summary>Which suspects may run side by side. A suspect is an event that was started before and never settled: it may have ended its process. Each subscription runs one at a time.</summary>
/// <remarks>
/// Suspects of several subscriptions run side by side, until one of them ends the process: then it is not known which one it was, and each of them runs alone from then on. Alone means that no other suspect of the
/// process runs. What runs for long has shown that it does not end the process quickly: an event that is to run alone waits for another no longer than <paramref name="longRun"/>, and others wait for one that runs
/// alone no longer than five seconds. Thread-safe.
/// </remarks>
internal sealed class RedeliveryCoordinator(TimeProvider time, TimeSpan longRun)
{
    private static readonly TimeSpan LongRunAlone = TimeSpan.FromSeconds(5);

    private readonly Lock gate = new();
    private readonly List<RedeliveryRun> running = [];
    private readonly List<long> waitingAlone = [];
    private TaskCompletionSource changed = NewSignal();

    /// <summary>Lets a suspect run, if it may now. To be called with a slot in hand, so that what has entered begins. Before it is started, <see cref="RedeliveryRun.CountCompanyAsync"/> is to be called.</summary>
    /// <param name="alone">It is to run alone.</param>
    /// <param name="arrived">When it came first, as a timestamp.</param>
    /// <param name="becomesAccompanied">Keeps, durably, that the run became an accompanied one. Called at most once, after <see cref="RedeliveryRun.Counted"/>.</param>
    /// <returns>Null: it is to wait.</returns>
    public RedeliveryRun? TryEnter(bool alone, long arrived, Func<ConcurrencyLimiter, Action, Task> becomesAccompanied)
    {
        lock (gate)
        {
            if (WaitOf(alone, arrived) > TimeSpan.Zero)
            {
                return null;
            }

            var run = new RedeliveryRun(this, alone, [.. running], becomesAccompanied) { StartedAt = time.GetTimestamp() };
            running.Add(run);
            return run;
        }
    }

    /// <summary>Completes when a suspect may run, which then tries to enter; another may be quicker.</summary>
    public async Task WhenFreeAsync(bool alone, long arrived, CancellationToken cancellationToken)
    {
        var waits = false;
        try
        {
            while (true)
            {
                Task signal;
                TimeSpan wait;
                lock (gate)
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

                using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                await Task.WhenAny(signal, Task.Delay(wait, time, either.Token));
                await either.CancelAsync();
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            if (waits)
            {
                lock (gate)
                {
                    waitingAlone.Remove(arrived);
                    Signal();
                }
            }
        }
    }

    public void Leave(RedeliveryRun run)
    {
        lock (gate)
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

    /// <summary>How long to wait until it may be different; zero when it may run.</summary>
    private TimeSpan WaitOf(bool alone, long arrived)
    {
        var wait = TimeSpan.Zero;
        foreach (var run in running)
        {
            var left = (alone ? longRun : run.Alone ? LongRunAlone : TimeSpan.Zero) - time.GetElapsedTime(run.StartedAt);
            wait = left > wait ? left : wait;
        }

        // What is to run alone is not kept waiting for ever by others that come one after the other, and does not keep them waiting for longer than it would wait for one of them.
        return !alone && wait <= TimeSpan.Zero && time.GetElapsedTime(arrived) < longRun && waitingAlone.Exists(since => time.GetElapsedTime(since) >= longRun) ? longRun - time.GetElapsedTime(arrived) : wait;
    }
}
