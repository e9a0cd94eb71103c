using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>All that the bus knows of one event type. Made at start; read from many threads.</summary>
internal sealed class EventDescriptor(Type type, string name, int version)
{
    private int warnedUnrouted;
    private int warnedSize;

    public Type Type { get; } = type;

    public string Name { get; } = name;

    public int Version { get; } = version;

    /// <summary>How the event is written as JSON; null where neither a context nor reflection knows the type.</summary>
    public JsonTypeInfo? Json { get; init; }

    /// <summary>Proves cheaply that most events are small; null where there is no type information.</summary>
    public SizeProbe? Size { get; init; }

    public Func<object, string?>? KeyOf { get; init; }

    public bool RequiresSubscriber { get; init; }

    /// <summary>It was said already that such an event is large.</summary>
    public bool WarnedLarge => Volatile.Read(ref warnedSize) != 0;

    public bool FirstUnrouted() => Interlocked.Exchange(ref warnedUnrouted, 1) == 0;

    public bool FirstLarge() => Interlocked.Exchange(ref warnedSize, 1) == 0;
}
