namespace EventBus;

/// <summary>
/// Describes how the bus finds the event names of records in a topic of other programs. A record that has an event name
/// of its own keeps it.
/// </summary>
public sealed class KafkaTopicReader
{
    private readonly KafkaOptions options;

    internal KafkaTopicReader(KafkaOptions options, string topic)
    {
        this.options = options;
        Topic = topic;
    }

    /// <summary>The name of the topic.</summary>
    internal string Topic { get; }

    /// <summary>The name of all events; null if it is in the records.</summary>
    internal string? EventName { get; private set; }

    /// <summary>The header that contains the event name; null for none.</summary>
    internal string? Header { get; private set; }

    /// <summary>The property of the JSON body that contains the event name, null for none.</summary>
    internal string? Property { get; private set; }

    /// <summary>Gives all records without a name the same event name.</summary>
    /// <param name="eventName">The event name, for instance <c>order.placed</c>.</param>
    public KafkaOptions Named(string eventName)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(eventName);
        EventName = eventName;
        return options;
    }

    /// <summary>Takes the event name from a header.</summary>
    /// <param name="header">The name of the header.</param>
    public KafkaOptions NamedByHeader(string header)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(header);
        Header = header;
        return options;
    }

    /// <summary>Takes the event name from a property of the JSON body.</summary>
    /// <param name="property">The name of the property, for instance <c>type</c>. The property is a text.</param>
    public KafkaOptions NamedByProperty(string property)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(property);
        Property = property;
        return options;
    }
}
