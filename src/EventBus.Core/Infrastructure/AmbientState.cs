namespace EventBus;

/// <summary>
/// Restores the ambient state of a caller after it has called code of the application: async locals, the culture, the
/// current activity and the synchronization context.
/// </summary>
/// <remarks>
/// An <c>async</c> method reverts its own changes. A method that only returns a task does not, and the loop that called
/// it would keep them: the next event would run as the tenant of this one.
/// </remarks>
internal readonly struct AmbientState
{
    private readonly ExecutionContext? flow;
    private readonly SynchronizationContext? context;

    private AmbientState(ExecutionContext? flow, SynchronizationContext? context) => (this.flow, this.context) = (flow, context);

    /// <summary>Captures the current state. Allocates no object.</summary>
    public static AmbientState Current => new(ExecutionContext.Capture(), SynchronizationContext.Current);

    /// <summary>
    /// Restores the captured state. Does nothing for the execution context if its flow was suppressed.
    /// </summary>
    public void Restore()
    {
        if (flow is not null && !ReferenceEquals(ExecutionContext.Capture(), flow))
        {
            ExecutionContext.Restore(flow);
        }

        if (!ReferenceEquals(SynchronizationContext.Current, context))
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }
}
