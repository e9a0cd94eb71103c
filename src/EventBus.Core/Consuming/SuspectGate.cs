namespace EventBus;

/// <summary>Which suspects may run side by side. A suspect is an event that was started before and never settled: it may have ended its process. Each subscription runs one at a time.</summary>
/// <remarks>
/// Suspects of several subscriptions run side by side, until one of them ends the process: then it is not known which one it was, and each of them runs alone from then on. Alone means that no other suspect of the
/// process runs. What runs for long has shown that it does not end the process quickly: an event that is to run alone waits for another no longer than <paramref name="longRun"/>, and others wait for one that runs
/// alone no longer than five seconds. Thread-safe.
/// </remarks>
internal sealed class SuspectGate(TimeProvider time, TimeSpan longRun)
{
    private static readonly TimeSpan LongRunAlone = TimeSpan.FromSeconds(5);

    private readonly Lock gate = new();
    private readonly List<SuspectRun> running = [];
    private readonly List<long> waitingAlone = [];
    private TaskCompletionSource changed = NewSignal();

    /// <summary>Lets a suspect run, if it may now. To be called with a slot in hand, so that what has entered begins. Before it is started, <see cref="SuspectRun.CountCompanyAsync"/> is to be called.</summary>
    /// <param name="alone">It is to run alone.</param>
    /// <param name="arrived">When it came first, as a timestamp.</param>
    /// <param name="becomesAccompanied">Keeps, durably, that the run became an accompanied one. Called at most once, after <see cref="SuspectRun.Counted"/>.</param>
    /// <returns>Null: it is to wait.</returns>
    public SuspectRun? TryEnter(bool alone, long arrived, Func<HandlerSlots, Action, Task> becomesAccompanied)
    {
        lock (gate)
        {
            if (WaitOf(alone, arrived) > TimeSpan.Zero)
            {
                return null;
            }

            var run = new SuspectRun(this, alone, [.. running], becomesAccompanied) { StartedAt = time.GetTimestamp() };
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

    public void Leave(SuspectRun run)
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

/// <summary>One run of a suspect; ends when it is disposed.</summary>
/// <remarks>Others wait for what is written of it, and never until its caller or another one has a handler slot again: a hanging event may hold that slot.</remarks>
internal sealed class SuspectRun(SuspectGate gate, bool alone, IReadOnlyList<SuspectRun> others, Func<HandlerSlots, Action, Task> becomesAccompanied) : IDisposable
{
    private readonly TaskCompletionSource counted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource marked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock marking = new();

    // One that is to run alone and enters beside another runs beside one that has shown not to end the process quickly.
    private bool accompanied = !alone && others.Count > 0;
    private bool isCounting;
    private bool hasEnded;

    public bool Alone => alone;

    public required long StartedAt { get; init; }

    /// <summary>Sees that those that run already are known as accompanied before this one is started beside them.</summary>
    /// <param name="slots">Where the caller holds a slot.</param>
    public async Task CountCompanyAsync(HandlerSlots slots)
    {
        foreach (var other in others)
        {
            await other.AccompanyAsync(slots);
        }
    }

    /// <summary>Its start is about to be kept.</summary>
    /// <returns>Whether it counts as accompanied. Who enters from now on waits for <see cref="Counted"/>.</returns>
    public bool BeginCounting()
    {
        lock (marking)
        {
            isCounting = true;
            if (accompanied)
            {
                // Its count says it, and it is not started before that is kept.
                marked.TrySetResult();
            }

            return accompanied;
        }
    }

    /// <summary>Its start is kept, or it is not started.</summary>
    public void Counted() => counted.TrySetResult();

    public void Dispose()
    {
        gate.Leave(this);
        lock (marking)
        {
            hasEnded = true;
        }

        counted.TrySetResult();
        marked.TrySetResult();
    }

    private Task AccompanyAsync(HandlerSlots slots)
    {
        lock (marking)
        {
            if (hasEnded || !isCounting)
            {
                // It may not come to its start for long. Its own count will say it.
                accompanied = true;
                return Task.CompletedTask;
            }

            if (accompanied)
            {
                return marked.Task;
            }

            accompanied = true;
        }

        return MarkAsync(slots);
    }

    private async Task MarkAsync(HandlerSlots slots)
    {
        await counted.Task;
        try
        {
            if (!Volatile.Read(ref hasEnded))
            {
                await becomesAccompanied(slots, () => marked.TrySetResult());
            }
        }
        finally
        {
            marked.TrySetResult();
        }
    }
}
