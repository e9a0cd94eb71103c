using System.Diagnostics.CodeAnalysis;

namespace EventBus;

/// <summary>
/// Limits the number of handlers of one subscription that run at once, including retries. First come, first served.
/// Thread-safe.
/// </summary>
/// <param name="limit">The number of slots.</param>
/// <param name="busGate">Closed while no delivery of the bus may begin; null for none.</param>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle is never asked for holds nothing to dispose.")]
internal sealed class ConcurrencyLimiter(int limit, IntakeGate? busGate = null)
{
    private readonly SemaphoreSlim free = new(limit);
    private readonly Lock sync = new();
    private int waitingRetries;
    private int lentSlots;
    private TaskCompletionSource? allReturned;

    /// <summary>The number of slots.</summary>
    public int Limit => limit;

    /// <summary>
    /// Closed while the store does not accept a write of this subscription, or of the bus: no delivery begins then.
    /// </summary>
    public IntakeGate Intake { get; } = new(busGate);

    /// <summary>True if another handler could start now.</summary>
    public bool AnyFree => free.CurrentCount > 0;

    /// <summary>
    /// True if a retry waits for a slot. The loop that takes deliveries then releases its slot between two deliveries,
    /// so that the retry gets one.
    /// </summary>
    public bool RetriesWait => Volatile.Read(ref waitingRetries) > 0;

    public Task TakeAsync() => free.WaitAsync();

    public async Task TakeForRetryAsync(CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref waitingRetries);
        try
        {
            await free.WaitAsync(cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref waitingRetries);
        }
    }

    public void Release() => free.Release();

    /// <summary>
    /// Waits for a task without the slot of the caller: the slot is free for others until the task has ended, because
    /// the task may need it to continue.
    /// </summary>
    /// <param name="other">The task to wait for.</param>
    /// <param name="abort">
    /// When cancelled, the limit no longer applies and the slot is not taken again: a caller of
    /// <see cref="TakeAllAsync"/> may hold it.
    /// </param>
    public async Task WaitWithoutAsync(Task other, CancellationToken abort)
    {
        if (other.IsCompleted)
        {
            await other;
            return;
        }

        Lend();
        try
        {
            await other;
        }
        finally
        {
            await TakeBackAsync(abort);
        }
    }

    /// <summary>Lets others use the slot of the caller until <see cref="TakeBackAsync"/>.</summary>
    public void Lend()
    {
        lock (sync)
        {
            lentSlots++;
        }

        Release();
    }

    /// <summary>Takes a slot again after <see cref="Lend"/>.</summary>
    /// <param name="abort">
    /// When cancelled, the limit no longer applies and the slot is not taken again: a caller of
    /// <see cref="TakeAllAsync"/> may hold it.
    /// </param>
    public async Task TakeBackAsync(CancellationToken abort)
    {
        if (!abort.IsCancellationRequested)
        {
            await free.WaitAsync(CancellationToken.None);
        }

        lock (sync)
        {
            lentSlots--;
            if (lentSlots == 0)
            {
                allReturned?.TrySetResult();
                allReturned = null;
            }
        }
    }

    /// <summary>Takes all slots. Completes when no caller holds a slot or waits to take its slot again.</summary>
    public async Task TakeAllAsync()
    {
        while (true)
        {
            await WhenAllAreReturnedAsync();
            for (var i = 0; i < limit; i++)
            {
                await free.WaitAsync();
            }

            lock (sync)
            {
                if (lentSlots == 0)
                {
                    return;
                }
            }

            // A slot was lent in the meantime, and its owner waits to take it again.
            free.Release(limit);
        }
    }

    private Task WhenAllAreReturnedAsync()
    {
        lock (sync)
        {
            if (lentSlots == 0)
            {
                return Task.CompletedTask;
            }

            allReturned ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return allReturned.Task;
        }
    }
}
