using System.Diagnostics.CodeAnalysis;

namespace EventBus;

/// <summary>How many handlers of one subscription may run at once, retries included. First come, first served. Thread-safe.</summary>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle is never asked for holds nothing to dispose.")]
internal sealed class HandlerSlots(int limit)
{
    private readonly SemaphoreSlim free = new(limit);
    private int waitingRetries;

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

    /// <summary>Completes when nobody holds a slot any more.</summary>
    public async Task TakeAllAsync()
    {
        for (var i = 0; i < limit; i++)
        {
            await free.WaitAsync();
        }
    }
}
