using System.Runtime.CompilerServices;

namespace EventBus;

/// <summary>
/// Awaiting it continues on the same thread, outside of the synchronization context and the task scheduler of the
/// caller, which get their thread back at the next incomplete await.
/// </summary>
internal readonly struct ContextDeparture(bool isOutside) : ICriticalNotifyCompletion
{
    public bool IsCompleted => isOutside;

    public ContextDeparture GetAwaiter() => this;

    public void GetResult()
    {
        // There is no result. The compiler requires the method.
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
                // A task of the default scheduler that runs synchronously is the only way to leave another scheduler
                // without moving the call to another thread.
                new Task(continuation).RunSynchronously(TaskScheduler.Default);
            }
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(foreign);
        }
    }
}
