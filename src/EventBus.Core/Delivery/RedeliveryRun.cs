namespace EventBus;

/// <summary>One run of a suspect; ends when it is disposed.</summary>
/// <remarks>Others wait for what is written of it, and never until its caller or another one has a handler slot again: a hanging event may hold that slot.</remarks>
internal sealed class RedeliveryRun(RedeliveryCoordinator gate, bool alone, IReadOnlyList<RedeliveryRun> others, Func<ConcurrencyLimiter, Action, Task> becomesAccompanied) : IDisposable
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
    public async Task CountCompanyAsync(ConcurrencyLimiter slots)
    {
        foreach (var other in others)
        {
            await other.CountConcurrentAsync(slots);
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

    private Task CountConcurrentAsync(ConcurrencyLimiter slots)
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

    private async Task MarkAsync(ConcurrencyLimiter slots)
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
