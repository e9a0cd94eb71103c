using System.Globalization;
using System.Text;
using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>Holds the CloudEvents attributes of a message, and reads each from the value of its header.</summary>
internal ref struct RabbitMqAttributes
{
    private object? time;

    public string? Id { get; private set; }

    public string? Type { get; private set; }

    public string? Source { get; private set; }

    public string? Key { get; private set; }

    public string? CorrelationId { get; private set; }

    public string? CausationId { get; private set; }

    public bool IdIsDerived { get; private set; }

    public string? TraceParent { get; set; }

    public string? TraceState { get; set; }

    /// <summary>The description of the first defect in the headers; null if there is none.</summary>
    public string? Defect { get; set; }

    private string? Version { get; set; }

    /// <summary>
    /// Gets the version of the event's schema; false if the attribute is invalid. Without the attribute: 1.
    /// </summary>
    public readonly bool TryGetVersion(out int number)
    {
        number = 1;
        return Version is null || (int.TryParse(Version, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0);
    }

    /// <summary>
    /// Gets the publish time of the event; false if the attribute is invalid. Without the attribute: the timestamp of
    /// the message, or the Unix epoch.
    /// </summary>
    public readonly bool TryGetTime(IReadOnlyBasicProperties properties, out DateTimeOffset published)
    {
        if (time is null)
        {
            published = properties.IsTimestampPresent() ? RabbitMqTime.FromUnix(properties.Timestamp.UnixTime) : DateTimeOffset.UnixEpoch;
            return true;
        }

        return RabbitMqTime.TryRead(time, out published);
    }

    /// <summary>Sets one attribute to the value of its header.</summary>
    /// <param name="attribute">The name of the attribute.</param>
    /// <param name="value">The value of its header.</param>
    /// <param name="properties">The properties of the message.</param>
    /// <param name="routingKey">The routing key, which usually equals the event type.</param>
    public void Set(ReadOnlySpan<char> attribute, object? value, IReadOnlyBasicProperties properties, string routingKey)
    {
        if (value is null)
        {
            // A null value counts as a missing attribute.
            return;
        }

        switch (attribute)
        {
            case CloudEventAttributes.Id:
                // The message id contains the same value, and is already a string.
                Id = Text(value, properties.MessageId, attribute);
                break;
            case CloudEventAttributes.Type:
                Type = Text(value, routingKey, attribute);
                break;
            case CloudEventAttributes.Source:
                Source = Text(value, null, attribute);
                break;
            case CloudEventAttributes.Time:
                time = value;
                break;
            case CloudEventAttributes.PartitionKey:
                Key = Text(value, null, attribute);
                break;
            case CloudEventAttributes.SpecVersion:
                CheckSpecVersion(value, attribute);
                break;
            default:
                SetOptional(attribute, Text(value, null, attribute));
                break;
        }
    }

    // Sets an attribute that most events do not have.
    private void SetOptional(ReadOnlySpan<char> attribute, string? text)
    {
        switch (attribute)
        {
            case CloudEventAttributes.EventVersion:
                Version = text;
                break;
            case CloudEventAttributes.CorrelationId:
                CorrelationId = text;
                break;
            case CloudEventAttributes.CausationId:
                CausationId = text;
                break;
            case CloudEventAttributes.DerivedId:
                IdIsDerived = text == "true";
                break;
            case CloudEventAttributes.TraceParent:
                TraceParent = text;
                break;
            case CloudEventAttributes.TraceState:
                TraceState = text;
                break;
            default:
                // An extension attribute that the bus does not use.
                break;
        }
    }

    private void CheckSpecVersion(object? value, ReadOnlySpan<char> attribute)
    {
        if (value is byte[] bytes && bytes.AsSpan().SequenceEqual("1.0"u8))
        {
            return;
        }

        var version = Text(value, null, attribute);
        if (version is not (null or CloudEventAttributes.Version or "1"))
        {
            Defect ??= "The attribute 'specversion' names a version of CloudEvents other than 1.0.";
        }
    }

    /// <summary>Converts the value of an attribute to text. If that is not possible, sets the defect.</summary>
    /// <param name="value">The value.</param>
    /// <param name="expected">
    /// The expected text, returned without allocating a second string if it matches; null if none is expected.
    /// </param>
    /// <param name="attribute">The name of the attribute.</param>
    private string? Text(object? value, string? expected, ReadOnlySpan<char> attribute)
    {
        if (expected is not null && value is byte[] bytes && Ascii.Equals(bytes, expected))
        {
            return expected;
        }

        var text = RabbitMqValue.Text(value);
        if (text is null)
        {
            Defect ??= $"The attribute '{attribute}' is not text.";
        }

        return text;
    }
}
