using EventBus.Stores;

namespace EventBus;

/// <summary>One guard of one event type.</summary>
internal abstract class OrderGuardBinding(OrderGuardOptions options)
{
    public abstract Type EventType { get; }

    public OrderGuardOptions Options => options;

    /// <summary>Whether it judges events of a type: those of its own, or all that are assignable to an interface or an abstract class.</summary>
    public bool IsFor(Type type) => EventType == type || (EventType.IsAbstract && EventType.IsAssignableFrom(type));

    /// <summary>It decides by numbers alone.</summary>
    public virtual bool Counts => false;

    /// <summary>The event's number, where the guard counts.</summary>
    public virtual long? PositionOf(object @event) => null;

    public abstract Task<OrderDecision> DecideAsync(object @event, EventContext context, OrderState state, CancellationToken cancellationToken);
}
