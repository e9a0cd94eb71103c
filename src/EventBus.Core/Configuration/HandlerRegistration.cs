namespace EventBus;

/// <summary>A handler of a subscription, as it was registered.</summary>
/// <param name="EventType">The event type.</param>
/// <param name="HandlerType">The handler type to resolve; null for a delegate.</param>
/// <param name="Adapt">
/// Creates the invoker for a handler instance. Ignores its argument if the handler is a delegate. The function itself
/// is created where the event type is known statically, so that no reflection is needed.
/// </param>
internal sealed record HandlerRegistration(Type EventType, Type? HandlerType, Func<object, EventInvoker> Adapt)
{
    /// <summary>
    /// True for an interface or an abstract class: the handler handles all event types that are assignable to it.
    /// </summary>
    public bool IsForBaseType => EventType.IsAbstract;
}
