namespace EventBus;

/// <summary>Describes the event types of a registration, and checks their names, JSON and upcasts.</summary>
internal sealed class EventPlanner(BusRegistration registration, List<string> problems)
{
    private readonly Dictionary<Type, EventDescriptor> events = [];

    /// <summary>Describes the event types. An invalid one is added to the problems and left out.</summary>
    /// <param name="json">The JSON type information.</param>
    /// <param name="serializes">True if the backend or the stores keep events as bytes.</param>
    public Dictionary<Type, EventDescriptor> Plan(EventJson json, bool serializes)
    {
        var names = new Dictionary<(string, int), Type>();
        foreach (var declared in registration.Events)
        {
            if (Describe(declared, json) is not { } descriptor)
            {
                continue;
            }

            events.Add(descriptor.Type, descriptor);
            if (!names.TryAdd((descriptor.Name, descriptor.Version), descriptor.Type))
            {
                problems.Add($"Both {names[(descriptor.Name, descriptor.Version)]} and {descriptor.Type} are '{descriptor.Name}' in "
                    + $"version {descriptor.Version}. Give one of them another name or version with [EventName].");
            }

            // In memory, nothing is serialized, so an application without JSON may use it. But if a JSON context is
            // given, it must be complete.
            if (descriptor.Json is null && (serializes || registration.JsonContexts.Count > 0))
            {
                json.Find(descriptor.Type, out var reason);
                problems.Add(NoJson(descriptor.Type, reason));
            }
        }

        CheckUpcasts();
        return events;
    }

    private EventDescriptor? Describe(EventTypeRegistration declared, EventJson json)
    {
        var type = declared.Type;
        if (type.IsAbstract)
        {
            problems.Add($"{type} is {(type.IsInterface ? "an interface" : "an abstract class")}, and no event is of that type itself, so "
                + "its declarations would apply to no event. Declare the types that are published: bus.Publishes<TEvent>(), "
                + "bus.Event<TEvent>(), bus.Upcast<TOld, TNew>(...), WaitFor<TReply>(...).");
            return null;
        }

        if (EventRegistry.Describe(declared, json, out var problem) is not { } descriptor)
        {
            problems.Add(problem!);
            return null;
        }

        return descriptor;
    }

    private string NoJson(Type type, string? reason)
    {
        if (reason is not null)
        {
            return $"The event type {type} cannot be written as JSON: {reason}";
        }

        return registration.JsonContexts.Count > 0
            ? $"No JSON context given to bus.UseJson(...) knows {type}, so the event could not be written or read. Add "
                + $"[JsonSerializable(typeof({type.Name}))] to one of them."
            : $"The event type {type} cannot be written as JSON: reflection-based JSON is off or cannot describe it. Declare a "
                + $"JsonSerializerContext with [JsonSerializable(typeof({type.Name}))], and call bus.UseJson(YourContext.Default).";
    }

    private void CheckUpcasts()
    {
        var oldTypes = new HashSet<Type>();
        foreach (var upcast in registration.Upcasts)
        {
            if (!oldTypes.Add(upcast.From))
            {
                problems.Add($"There are several upcasts from {upcast.From}. Keep one bus.Upcast from each version, best to the next one.");
            }

            if (events.TryGetValue(upcast.From, out var old)
                && events.TryGetValue(upcast.To, out var next)
                && (old.Name != next.Name || old.Version >= next.Version))
            {
                problems.Add($"The upcast from {upcast.From} ('{old.Name}' version {old.Version}) to {upcast.To} ('{next.Name}' version "
                    + $"{next.Version}) does not lead to a higher version of the same event. Correct their [EventName(..., Version = n)].");
            }
        }
    }
}
