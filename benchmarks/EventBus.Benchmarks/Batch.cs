namespace EventBus.Benchmarks;

/// <summary>
/// Counts the handled events of a batch, and completes when all are handled. Used by the bus and by the raw channels.
/// </summary>
internal sealed class Batch
{
    private TaskCompletionSource done = new();
    private long left;

    public Task Done => done.Task;

    public void Begin(long events)
    {
        done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref left, events);
    }

    public void Count()
    {
        if (Interlocked.Decrement(ref left) == 0)
        {
            done.SetResult();
        }
    }
}
