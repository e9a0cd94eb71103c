namespace EventBus;

/// <summary>Binds one guard to one event type.</summary>
internal abstract class OrderGuardBinding(OrderGuardOptions options)
{
    public abstract Type EventType { get; }

    public OrderGuardOptions Options => options;

    /// <summary>
    /// Returns true if the guard evaluates events of a type: its own type, or any type that is assignable to it if it
    /// is an interface or an abstract class.
    /// </summary>
    public bool IsFor(Type type) => EventType == type || (EventType.IsAbstract && EventType.IsAssignableFrom(type));

    /// <summary>True if the decision of the guard depends only on sequence numbers.</summary>
    public virtual bool UsesSequence => false;

    /// <summary>Returns the sequence number of an event; null if the guard does not use sequence numbers.</summary>
    public virtual long? PositionOf(object @event) => null;

    /// <summary>Decides whether an event may be handled now.</summary>
    /// <param name="event">The event.</param>
    /// <param name="context">The delivery.</param>
    /// <param name="highest">The highest sequence number of the event's key that was settled; null for none.</param>
    /// <param name="mayBePassed">True if later events of the key do not wait for this event.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    public abstract Task<OrderDecision> DecideAsync(
        object @event,
        EventContext context,
        long? highest,
        bool mayBePassed,
        CancellationToken cancellationToken);
}
