using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Reflection;

namespace EventBus;

/// <summary>
/// Maps event names to types. Messages never contain type names: a name that is not registered here is unknown.
/// Thread-safe.
/// </summary>
internal sealed class EventRegistry
{
    private readonly EventJson json;
    private readonly FrozenDictionary<Type, EventDescriptor> declared;
    private readonly FrozenDictionary<(string Name, int Version), EventDescriptor> byName;
    private readonly FrozenSet<string> names;
    private readonly FrozenDictionary<Type, (EventDescriptor To, Func<object, object> Convert)> upcasts;

    // Types that are published without a declaration. Their number is limited by the event types of the application.
    private readonly ConcurrentDictionary<Type, EventDescriptor> undeclared = new();

    public EventRegistry(IReadOnlyList<EventDescriptor> events, IReadOnlyList<UpcastRegistration> upcasts, EventJson json)
    {
        this.json = json;
        declared = events.ToFrozenDictionary(e => e.Type);
        names = events.Select(e => e.Name).ToFrozenSet(StringComparer.Ordinal);
        byName = events.ToFrozenDictionary(e => (e.Name, e.Version));
        this.upcasts = upcasts.ToFrozenDictionary(u => u.From, u => (declared[u.To], u.Convert));
    }

    public IEnumerable<EventDescriptor> Declared => declared.Values;

    /// <summary>Returns true if the application declared an event of the given name, in any version.</summary>
    public bool Knows(string name) => names.Contains(name);

    public EventDescriptor? Find(string name, int version) => byName.GetValueOrDefault((name, version));

    /// <summary>Returns the descriptor of a type that is published, declared or not.</summary>
    /// <exception cref="PublishException">The type is not declared and cannot be an event type.</exception>
    public EventDescriptor For(Type type) =>
        declared.TryGetValue(type, out var known) || undeclared.TryGetValue(type, out known)
            ? known
            : undeclared.GetOrAdd(type, DescribeUndeclared(type));

    /// <summary>
    /// Converts an event to the next version; false if no upcast from its type is known. The function of the
    /// application may throw, and may return null.
    /// </summary>
    public bool TryUpcast(ref object @event)
    {
        if (!upcasts.TryGetValue(@event.GetType(), out var upcast))
        {
            return false;
        }

        @event = upcast.Convert(@event);
        return true;
    }

    private static string? ProblemOf(Type type, string? name, EventNameAttribute? attribute)
    {
        if (name is null)
        {
            return $"The type {type} has no event name: by convention a name needs two words in Pascal case and no type parameters. "
                + "Add [EventName(\"entity.action\")] to it.";
        }

        if (EventNameRules.Problem(name) is { } problem)
        {
            return $"{problem} It is the name of {type}: correct its [EventName].";
        }

        return attribute?.Version < 1
            ? $"The version {attribute.Version} of {type} is invalid. Versions count from 1: correct its [EventName]."
            : null;
    }

    /// <summary>
    /// Creates the descriptor of a type; null, with a description of the problem, if the type is invalid.
    /// </summary>
    public static EventDescriptor? Describe(EventTypeRegistration registration, EventJson json, out string? problem)
    {
        var type = registration.Type;
        var attribute = type.GetCustomAttribute<EventNameAttribute>();
        var name = attribute?.Name ?? EventNameRules.FromType(type);
        problem = ProblemOf(type, name, attribute);
        if (problem is not null)
        {
            return null;
        }

        var info = registration.Json ?? json.Find(type);
        return new EventDescriptor(type, name!, attribute?.Version ?? 1)
        {
            Json = info,
            Size = info is null ? null : JsonSizeEstimator.For(info),
            KeyOf = registration.KeyOf,
            RequiresSubscriber = registration.RequiresSubscriber,
        };
    }

    private EventDescriptor DescribeUndeclared(Type type)
    {
        if (typeof(System.Collections.IEnumerable).IsAssignableFrom(type))
        {
            throw new PublishException(
                $"{type} is a collection, not an event. Publish its items with PublishManyAsync.",
                PublishFailure.Rejected,
                null);
        }

        var descriptor = Describe(new EventTypeRegistration(type), json, out var problem)
            ?? throw new PublishException(problem!, PublishFailure.Rejected, null);
        if (Find(descriptor.Name, descriptor.Version) is { } other)
        {
            throw new PublishException(
                $"The event name '{descriptor.Name}' in version {descriptor.Version} is the name of {other.Type}, so {type} cannot be "
                    + "published under it. Give one of them another [EventName].",
                PublishFailure.Rejected,
                null);
        }

        return descriptor;
    }
}
