namespace EventBus;

/// <summary>
/// Puts back what the application's code left behind in the flow that called it: async locals, the culture, the current
/// activity, the synchronization context.
/// </summary>
/// <remarks>
/// A method that is <c>async</c> takes its changes back by itself. One that only returns a task does not, and the loop
/// that called it would go on with them: the next event would run as the tenant of this one.
/// </remarks>
internal readonly struct AmbientState
{
    private readonly ExecutionContext? flow;
    private readonly SynchronizationContext? context;

    private AmbientState(ExecutionContext? flow, SynchronizationContext? context) => (this.flow, this.context) = (flow, context);

    /// <summary>What is there now. Costs no object.</summary>
    public static AmbientState Current => new(ExecutionContext.Capture(), SynchronizationContext.Current);

    /// <summary>Makes it what is there again. Where the flow was suppressed there is nothing to put back.</summary>
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
