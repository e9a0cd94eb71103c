namespace EventBus;

/// <summary>An attempt of a redelivered event. Disposing it ends the attempt.</summary>
/// <remarks>
/// Other attempts wait until the count of this one is stored. They never wait until a caller has its handler slot
/// again: a hanging event may hold that slot.
/// </remarks>
internal sealed class RedeliveryRun(
    RedeliveryCoordinator coordinator,
    bool alone,
    IReadOnlyList<RedeliveryRun> others,
    ConcurrentMark mark) : IDisposable
{
    // Set when the store knows that this attempt is concurrent, or need not know it because the attempt has ended.
    private readonly TaskCompletionSource markStored = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock sync = new();

    // An event that must run alone starts during another attempt only when that one has run for a long time, and so
    // probably does not end the process: its own attempt does not count as concurrent.
    private bool isConcurrent = !alone && others.Count > 0;

    // True if the count of this attempt is stored or about to be stored.
    private bool isCounting;
    private bool hasEnded;

    public bool Alone => alone;

    public required long StartedAt { get; init; }

    /// <summary>Set when the count of this attempt is stored, or when the attempt does not begin.</summary>
    public TaskCompletionSource CountStored { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// Ensures that the attempts that are already running are marked in the store as concurrent, before this one
    /// begins.
    /// </summary>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    public async Task MarkOthersAsync(ConcurrencyLimiter slots)
    {
        foreach (var other in others)
        {
            await other.EnsureMarkedAsync(slots);
        }
    }

    /// <summary>Declares that the count of this attempt is about to be stored.</summary>
    /// <returns>
    /// True if it counts as concurrent. Attempts that enter from now on wait for <see cref="CountStored"/>.
    /// </returns>
    public bool BeginCounting()
    {
        lock (sync)
        {
            isCounting = true;
            if (isConcurrent)
            {
                // The count that is about to be stored includes the mark, and the attempt begins only after that.
                markStored.TrySetResult();
            }

            return isConcurrent;
        }
    }

    public void Dispose()
    {
        coordinator.Leave(this);
        lock (sync)
        {
            hasEnded = true;
        }

        CountStored.TrySetResult();
        markStored.TrySetResult();
    }

    /// <summary>Ensures that this attempt is marked in the store as concurrent, unless it has ended.</summary>
    private Task EnsureMarkedAsync(ConcurrencyLimiter slots)
    {
        lock (sync)
        {
            if (hasEnded || !isCounting)
            {
                // If the attempt has not begun, its count will include the mark. It may begin only after a long time,
                // so the caller does not wait for that.
                isConcurrent = true;
                return Task.CompletedTask;
            }

            if (isConcurrent)
            {
                return markStored.Task;
            }

            isConcurrent = true;
        }

        return MarkAsync(slots);
    }

    private async Task MarkAsync(ConcurrencyLimiter slots)
    {
        await CountStored.Task;
        try
        {
            if (!Volatile.Read(ref hasEnded))
            {
                await mark.WriteAsync(slots, markStored);
            }
        }
        finally
        {
            markStored.TrySetResult();
        }
    }
}
