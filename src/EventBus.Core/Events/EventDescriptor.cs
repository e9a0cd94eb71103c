using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>
/// Describes one event type: its name, version and JSON type information. Created at start; thread-safe.
/// </summary>
internal sealed class EventDescriptor(Type type, string name, int version)
{
    private readonly Lazy<EventMembers?>? members;
    private int warnedUnrouted;
    private int warnedSize;

    public Type Type { get; } = type;

    public string Name { get; } = name;

    public int Version { get; } = version;

    /// <summary>
    /// The JSON type information of the event type; null if neither a <c>JsonSerializerContext</c> nor reflection
    /// provides it.
    /// </summary>
    public JsonTypeInfo? Json
    {
        get;
        init
        {
            field = value;
            members = value is null ? null : new Lazy<EventMembers?>(() => EventMembers.For(value));
        }
    }

    /// <summary>The JSON members of the event type; null if any object may be an event of this type.</summary>
    public EventMembers? Members => members?.Value;

    /// <summary>
    /// Estimates the size of an event without serializing it; null if there is no type information, or if the size
    /// cannot be bounded.
    /// </summary>
    public JsonSizeEstimator? Size { get; init; }

    /// <summary>The function that returns the key of an event; null if none was declared.</summary>
    public Func<object, string?>? KeyOf { get; init; }

    public bool RequiresSubscriber { get; init; }

    /// <summary>True if the warning about a large event of this type has already been logged.</summary>
    public bool WarnedLarge => Volatile.Read(ref warnedSize) != 0;

    /// <summary>Returns true at the first call: only the first event without a subscription is logged.</summary>
    public bool FirstUnrouted() => Interlocked.Exchange(ref warnedUnrouted, 1) == 0;

    /// <summary>Returns true at the first call: only the first large event is logged.</summary>
    public bool FirstLarge() => Interlocked.Exchange(ref warnedSize, 1) == 0;
}
