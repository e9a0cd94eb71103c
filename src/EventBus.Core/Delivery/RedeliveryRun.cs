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
    private readonly TaskCompletionSource marked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock marking = new();

    // An event that must run alone starts during another attempt only when that one has run for long, and so does not
    // end the process quickly: its own attempt does not count as concurrent.
    private bool isConcurrent = !alone && others.Count > 0;
    private bool isCounting;
    private bool hasEnded;

    public bool Alone => alone;

    public required long StartedAt { get; init; }

    /// <summary>Set when the count of this attempt is stored, or when the attempt does not begin.</summary>
    public TaskCompletionSource Counted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// Ensures that the attempts that are already running are stored as concurrent before this one begins.
    /// </summary>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    public async Task CountOthersAsync(ConcurrencyLimiter slots)
    {
        foreach (var other in others)
        {
            await other.CountConcurrentAsync(slots);
        }
    }

    /// <summary>Declares that the count of this attempt is about to be stored.</summary>
    /// <returns>
    /// True if it counts as concurrent. Attempts that enter from now on wait for <see cref="Counted"/>.
    /// </returns>
    public bool BeginCounting()
    {
        lock (marking)
        {
            isCounting = true;
            if (isConcurrent)
            {
                // The count that is about to be stored includes the mark, and the attempt does not begin before it is
                // stored.
                marked.TrySetResult();
            }

            return isConcurrent;
        }
    }

    public void Dispose()
    {
        coordinator.Leave(this);
        lock (marking)
        {
            hasEnded = true;
        }

        Counted.TrySetResult();
        marked.TrySetResult();
    }

    private Task CountConcurrentAsync(ConcurrencyLimiter slots)
    {
        lock (marking)
        {
            if (hasEnded || !isCounting)
            {
                // This attempt has not begun, and may not begin for a long time. The count that it stores first will
                // include this.
                isConcurrent = true;
                return Task.CompletedTask;
            }

            if (isConcurrent)
            {
                return marked.Task;
            }

            isConcurrent = true;
        }

        return MarkAsync(slots);
    }

    private async Task MarkAsync(ConcurrencyLimiter slots)
    {
        await Counted.Task;
        try
        {
            if (!Volatile.Read(ref hasEnded))
            {
                await mark.WriteAsync(slots, marked);
            }
        }
        finally
        {
            marked.TrySetResult();
        }
    }
}
