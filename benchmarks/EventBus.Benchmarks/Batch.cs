namespace EventBus.Benchmarks;

/// <summary>Counts what of a batch was handled, and tells when all of it was. The readers of raw channels use the same one.</summary>
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
