namespace EventBus;

/// <param name="EventType">The event type.</param>
/// <param name="HandlerType">The type to resolve; null for a delegate.</param>
/// <param name="Adapt">Makes the typed call of a resolved handler, closed over the event type where it was known.</param>
internal sealed record HandlerRegistration(Type EventType, Type? HandlerType, Func<object, EventInvoker> Adapt)
{
    /// <summary>No event is of that type itself: it stands for those that are assignable to it.</summary>
    public bool IsForMany => EventType.IsAbstract;
}
