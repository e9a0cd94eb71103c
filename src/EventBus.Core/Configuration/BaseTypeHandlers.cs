namespace EventBus;

/// <summary>Finds the event types that the handlers for interfaces and abstract classes handle.</summary>
/// <param name="eventTypes">The event types known to the bus.</param>
/// <param name="upcasts">The upcasts of old event versions.</param>
/// <param name="problems">The errors of the registration.</param>
internal sealed class BaseTypeHandlers(
    IReadOnlyCollection<Type> eventTypes,
    List<UpcastRegistration> upcasts,
    List<string> problems)
{
    /// <summary>
    /// Replaces each handler for an interface or an abstract class by one handler for every known event type that is
    /// assignable to it. A handler for the type itself has priority, and each type has exactly one handler.
    /// </summary>
    public List<HandlerRegistration> Expand(SubscriptionRegistration subscription)
    {
        var handlers = subscription.Handlers.Where(handler => !handler.IsForBaseType).ToList();
        var typesWithOwnHandler = handlers.Select(handler => handler.EventType).ToHashSet();

        // The event types without a handler of their own, each with the base type whose handler handles it.
        var baseTypes = new Dictionary<Type, Type>();
        foreach (var handler in subscription.Handlers.Where(handler => handler.IsForBaseType))
        {
            var known = eventTypes.Where(handler.EventType.IsAssignableFrom).ToList();
            if (known.Count == 0)
            {
                problems.Add($"The subscription '{subscription.Name}' handles {handler.EventType}, "
                    + $"{(handler.EventType.IsInterface ? "an interface" : "an abstract class")}, and no event type known to this bus is "
                    + "assignable to it, so that no event could ever match. Declare the types with bus.Publishes<TEvent>(), or subscribe "
                    + "to them by themselves.");
            }

            foreach (var type in known.Where(type => !typesWithOwnHandler.Contains(type) && !IsUpcastTo(handler.EventType, type)))
            {
                if (baseTypes.TryAdd(type, handler.EventType))
                {
                    handlers.Add(handler with { EventType = type });
                }
                else if (baseTypes[type] != handler.EventType)
                {
                    problems.Add($"The subscription '{subscription.Name}' has two handlers for {type}: one for {baseTypes[type]} and one "
                        + $"for {handler.EventType}. Handle {type} by itself there, or make two subscriptions.");
                }
            }
        }

        return handlers;
    }

    /// <summary>
    /// Returns true if an old event version is upcast to a type that is also assignable to a base type: the handler
    /// then receives the newer version.
    /// </summary>
    private bool IsUpcastTo(Type baseType, Type oldVersion)
    {
        // Bounded by the number of upcasts, because the upcasts may form a cycle.
        var type = oldVersion;
        for (var i = 0; i < upcasts.Count; i++)
        {
            var next = upcasts.Find(upcast => upcast.From == type);
            if (next is null)
            {
                return false;
            }

            type = next.To;
            if (baseType.IsAssignableFrom(type))
            {
                return true;
            }
        }

        return false;
    }
}
