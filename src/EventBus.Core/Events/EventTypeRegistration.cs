using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>Holds the declaration of one event type before it is checked.</summary>
internal sealed class EventTypeRegistration(Type type)
{
    public Type Type { get; } = type;

    /// <summary>The JSON type information of the library's own events; null for those of the application.</summary>
    public JsonTypeInfo? Json { get; init; }

    public Func<object, string?>? KeyOf { get; set; }

    public bool RequiresSubscriber { get; set; }
}
