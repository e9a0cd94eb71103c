using System.Diagnostics.CodeAnalysis;

namespace EventBus;

/// <summary>How many handlers of one subscription may run at once, retries included. First come, first served. Thread-safe.</summary>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle is never asked for holds nothing to dispose.")]
internal sealed class ConcurrencyLimiter(int limit)
{
    private readonly SemaphoreSlim free = new(limit);
    private readonly Lock gate = new();
    private int waitingRetries;
    private int away;
    private TaskCompletionSource? allBack;

    /// <summary>What the store does not take of this subscription: while anything is held, no delivery is begun.</summary>
    public PendingWrites Hold { get; } = new();

    /// <summary>A further handler could start right now.</summary>
    public bool AnyFree => free.CurrentCount > 0;

    /// <summary>A retry waits for its turn: whoever takes one delivery after the other lets it pass in between.</summary>
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

    public void GiveBack() => free.Release();

    /// <summary>Lends the caller's slot to others while it waits for another event, which may need that slot itself to go on.</summary>
    /// <param name="other">What is waited for.</param>
    /// <param name="abort">After it nobody counts any more, and whoever waits for all slots may hold this one.</param>
    public async Task WaitWithoutAsync(Task other, CancellationToken abort)
    {
        if (other.IsCompleted)
        {
            await other;
            return;
        }

        lock (gate)
        {
            away++;
        }

        GiveBack();
        try
        {
            await other;
        }
        finally
        {
            if (!abort.IsCancellationRequested)
            {
                await free.WaitAsync(CancellationToken.None);
            }

            lock (gate)
            {
                if (--away == 0)
                {
                    allBack?.TrySetResult();
                    allBack = null;
                }
            }
        }
    }

    /// <summary>Completes when nobody holds a slot any more, or has lent one.</summary>
    public async Task TakeAllAsync()
    {
        while (true)
        {
            await WhenAllAreBackAsync();
            for (var i = 0; i < limit; i++)
            {
                await free.WaitAsync();
            }

            lock (gate)
            {
                if (away == 0)
                {
                    return;
                }
            }

            free.Release(limit);
        }
    }

    private Task WhenAllAreBackAsync()
    {
        lock (gate)
        {
            return away == 0 ? Task.CompletedTask : (allBack ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }
}
