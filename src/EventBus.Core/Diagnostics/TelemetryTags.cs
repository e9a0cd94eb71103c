using System.Diagnostics;

namespace EventBus;

/// <summary>
/// Creates the tags of the metrics of one bus, and the tags that its metrics and its spans have in common, by the
/// OpenTelemetry semantic conventions for messaging.
/// </summary>
internal sealed class TelemetryTags
{
    private const string BusTag = "eventbus.bus";

    private string? busKey;
    private Func<string, bool> isDeclared = static _ => true;

    /// <summary>The name of the backend; empty until the bus was planned.</summary>
    public string MessagingSystem { get; private set; } = "";

    /// <summary>Sets the values that are known only after the bus was planned.</summary>
    /// <param name="messagingSystem">The name of the backend.</param>
    /// <param name="key">The key of the bus; null for the default bus, which has no tag of its own.</param>
    /// <param name="knowsEvent">Returns true if the application declared an event name.</param>
    public void Describe(string messagingSystem, string? key, Func<string, bool> knowsEvent)
    {
        MessagingSystem = messagingSystem;
        busKey = key;
        isDeclared = knowsEvent;
    }

    /// <summary>Returns the tags of an event that the application publishes.</summary>
    public TagList OfEvent(string eventName) =>
        WithBus(new() { { "messaging.system", MessagingSystem }, { "messaging.destination.name", eventName } });

    /// <summary>Returns the tags of an event of a subscription.</summary>
    public TagList OfSubscription(string eventName, string subscription) => WithBus(new()
    {
        { "messaging.system", MessagingSystem },
        { "messaging.destination.name", DeclaredOrOther(eventName) },
        { "messaging.consumer.group.name", subscription },
    });

    /// <summary>Returns the tags of what a store or the backend holds for a subscription; null for all.</summary>
    public TagList OfState(string? subscription)
    {
        TagList values = new() { { "messaging.system", MessagingSystem } };
        if (subscription is not null)
        {
            values.Add("messaging.consumer.group.name", subscription);
        }

        return WithBus(values);
    }

    /// <summary>Returns the tags of the sagas with a name and a status.</summary>
    public TagList OfSaga(string saga, string status) =>
        WithBus(new() { { "eventbus.saga", saga }, { "eventbus.saga.status", status } });

    /// <summary>Adds the tag with the key of the bus, if the bus has a key.</summary>
    public TagList WithBus(TagList tags)
    {
        if (busKey is not null)
        {
            tags.Add(BusTag, busKey);
        }

        return tags;
    }

    /// <summary>Adds the tag with the key of the bus to a span, if the bus has a key.</summary>
    public Activity? AddBus(Activity? span) => busKey is null ? span : span?.SetTag(BusTag, busKey);

    /// <summary>Returns the event name if the application declared it; otherwise <c>_OTHER</c>.</summary>
    public string DeclaredOrOther(string eventName) => isDeclared(eventName) ? eventName : "_OTHER";
}
