namespace EventBus;

/// <summary>
/// Restores the ambient state of a caller after it has called code of the application: async locals, the culture, the
/// current activity and the synchronization context.
/// </summary>
/// <remarks>
/// An <c>async</c> method reverts its own changes. A method that only returns a task does not, and the loop that called
/// it would keep them: the handler of the next event would, for instance, see the tenant id of this one.
/// </remarks>
internal readonly struct AmbientState
{
    private readonly ExecutionContext? executionContext;
    private readonly SynchronizationContext? synchronizationContext;

    private AmbientState(ExecutionContext? executionContext, SynchronizationContext? synchronizationContext)
    {
        this.executionContext = executionContext;
        this.synchronizationContext = synchronizationContext;
    }

    /// <summary>Captures the current state. Allocates no object.</summary>
    public static AmbientState Current => new(ExecutionContext.Capture(), SynchronizationContext.Current);

    /// <summary>
    /// Restores the captured state. Leaves the execution context as it is if its flow was suppressed at the capture.
    /// </summary>
    public void Restore()
    {
        if (executionContext is not null && !ReferenceEquals(ExecutionContext.Capture(), executionContext))
        {
            ExecutionContext.Restore(executionContext);
        }

        if (!ReferenceEquals(SynchronizationContext.Current, synchronizationContext))
        {
            SynchronizationContext.SetSynchronizationContext(synchronizationContext);
        }
    }
}
