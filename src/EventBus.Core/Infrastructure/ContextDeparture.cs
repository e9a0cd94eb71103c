using System.Runtime.CompilerServices;

namespace EventBus;

/// <summary>
/// Leaves the synchronization context and the task scheduler of the caller when it is awaited: the code after the await
/// runs on the same thread, but outside of them. The caller gets its thread back at the next incomplete await.
/// </summary>
internal readonly struct ContextDeparture(bool isOutside) : ICriticalNotifyCompletion
{
    public bool IsCompleted => isOutside;

    public ContextDeparture GetAwaiter() => this;

    public void GetResult()
    {
        // Required by the compiler. There is no result.
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation)
    {
        var foreign = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            if (TaskScheduler.Current == TaskScheduler.Default)
            {
                continuation();
            }
            else
            {
                // Only a task that runs synchronously on the default scheduler leaves another scheduler without moving
                // the call to another thread.
                new Task(continuation).RunSynchronously(TaskScheduler.Default);
            }
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(foreign);
        }
    }
}
