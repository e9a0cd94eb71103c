using System.Buffers.Text;
using System.Globalization;
using System.Text;
using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Reads the headers of a message: separates the CloudEvents attributes from the headers of the user.
/// </summary>
internal ref struct RabbitMqAttributes
{
    // The maximum length of a header name in the description of a defect.
    private const int MaxPrintable = 64;

    private object? time;

    public string? Id { get; private set; }

    public string? Type { get; private set; }

    public string? Source { get; private set; }

    public string? Key { get; private set; }

    public string? CorrelationId { get; private set; }

    public string? CausationId { get; private set; }

    public bool IdIsDerived { get; private set; }

    public string? TraceParent { get; private set; }

    public string? TraceState { get; private set; }

    public Dictionary<string, string>? UserHeaders { get; private set; }

    /// <summary>The description of a defect in the headers; null if there is none.</summary>
    public string? Defect { get; private set; }

    private string? Version { get; set; }

    /// <summary>Reads the headers of a message.</summary>
    /// <param name="properties">The properties of the message.</param>
    /// <param name="routingKey">The routing key, which usually equals the event type.</param>
    public static RabbitMqAttributes Read(IReadOnlyBasicProperties properties, string routingKey)
    {
        var read = default(RabbitMqAttributes);

        // The client's own type has an enumerator that needs no allocation. Other types are accepted too.
        if (properties.Headers is Dictionary<string, object?> headers)
        {
            foreach (var (name, value) in headers)
            {
                read.Set(name, value, properties, routingKey);
            }
        }
        else if (properties.Headers is { } others)
        {
            foreach (var (name, value) in others)
            {
                read.Set(name, value, properties, routingKey);
            }
        }

        // The plain W3C Trace Context headers. Other programs write them, and so does the client if its traces are
        // collected.
        read.TraceParent ??= Plain(CloudEventAttributes.TraceParent);
        read.TraceState ??= Plain(CloudEventAttributes.TraceState);
        return read;

        string? Plain(string name) => properties.Headers?.TryGetValue(name, out var value) == true ? RabbitMqValue.Text(value) : null;
    }

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
        published = properties.IsTimestampPresent() ? RabbitMqValue.FromUnix(properties.Timestamp.UnixTime) : DateTimeOffset.UnixEpoch;
        if (time is null)
        {
            return true;
        }

        // The format that the bus writes is parsed without creating a string.
        if (time is byte[] bytes && bytes.AsSpan().EndsWith("Z"u8))
        {
            var isRoundTrip = Utf8Parser.TryParse(bytes, out DateTimeOffset parsed, out var length, 'O');
            if (isRoundTrip && length == bytes.Length)
            {
                published = parsed;
                return true;
            }
        }

        var text = RabbitMqValue.Text(time);
        if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out published))
        {
            return true;
        }

        // Some clients write the number of seconds or milliseconds.
        var isNumber = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        published = RabbitMqValue.FromUnix(number);
        return isNumber;
    }

    private void Set(string name, object? value, IReadOnlyBasicProperties properties, string routingKey)
    {
        if (!RabbitMqHeaderNames.IsAttribute(name))
        {
            if (name == RabbitMqHeaderNames.Unreadable)
            {
                Defect ??= $"The header '{Printable(value)}' cannot be read: it is nested too deeply, or has a type or a value that does "
                    + "not exist in .NET.";
            }
            else if (!RabbitMqHeaderNames.IsReserved(name))
            {
                AddUserHeader(name, RabbitMqValue.Text(value));
            }

            return;
        }

        if (value is null)
        {
            // A null value counts as a missing attribute.
            return;
        }

        var attribute = RabbitMqHeaderNames.AttributeName(name);
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

    private void AddUserHeader(string name, string? text)
    {
        // A header that is not text is left out.
        if (text is not null)
        {
            UserHeaders ??= new Dictionary<string, string>(StringComparer.Ordinal);
            UserHeaders[name] = text;
        }
    }

    // Replaces unsafe characters, because another program chose the name.
    private static string Printable(object? name) =>
        string.Concat((RabbitMqValue.Text(name) ?? "?").Take(MaxPrintable).Select(c => c is > ' ' and <= '~' ? c : '?'));

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
