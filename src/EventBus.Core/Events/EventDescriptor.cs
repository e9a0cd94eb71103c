using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>All that the bus knows of one event type. Made at start; read from many threads.</summary>
internal sealed class EventDescriptor(Type type, string name, int version)
{
    private readonly Lazy<EventMembers?>? members;
    private int warnedUnrouted;
    private int warnedSize;

    public Type Type { get; } = type;

    public string Name { get; } = name;

    public int Version { get; } = version;

    /// <summary>How the event is written as JSON; null where neither a context nor reflection knows the type.</summary>
    public JsonTypeInfo? Json
    {
        get;
        init
        {
            field = value;
            members = value is null ? null : new Lazy<EventMembers?>(() => EventMembers.For(value));
        }
    }

    /// <summary>The members that it has as JSON; null where every object may be such an event.</summary>
    public EventMembers? Members => members?.Value;

    /// <summary>Proves cheaply that most events are small; null where there is no type information.</summary>
    public JsonSizeEstimator? Size { get; init; }

    public Func<object, string?>? KeyOf { get; init; }

    public bool RequiresSubscriber { get; init; }

    /// <summary>It was said already that such an event is large.</summary>
    public bool WarnedLarge => Volatile.Read(ref warnedSize) != 0;

    public bool FirstUnrouted() => Interlocked.Exchange(ref warnedUnrouted, 1) == 0;

    public bool FirstLarge() => Interlocked.Exchange(ref warnedSize, 1) == 0;
}
