using System.Globalization;
using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Holds the CloudEvents attributes and the user's headers of a record. If a header occurs several times, the last one
/// counts.
/// </summary>
internal ref struct KafkaAttributes
{
    private readonly KafkaTextCache texts;
    private string? version;
    private byte[]? time;
    private string? plainTraceParent;
    private string? plainTraceState;
    private string? traceParent;
    private string? traceState;

    public string? Id { get; private set; }

    public string? Type { get; private set; }

    public string? Source { get; private set; }

    public string? Key { get; private set; }

    public string? Subject { get; private set; }

    public string? CorrelationId { get; private set; }

    public string? CausationId { get; private set; }

    public bool IdIsDerived { get; private set; }

    public string? ContentType { get; private set; }

    public readonly string? TraceParent => traceParent ?? plainTraceParent;

    public readonly string? TraceState => traceState ?? plainTraceState;

    /// <summary>The user's headers; null for none. Headers that are not text are left out.</summary>
    public Dictionary<string, string>? UserHeaders { get; private set; }

    /// <summary>The description of the first defect in the headers; null if there is none.</summary>
    public string? Defect { get; private set; }

    private KafkaAttributes(KafkaTextCache texts) => this.texts = texts;

    /// <summary>Reads the headers of a record.</summary>
    /// <param name="headers">The headers; null for none.</param>
    /// <param name="texts">The texts that records have in common.</param>
    public static KafkaAttributes Read(Headers? headers, KafkaTextCache texts)
    {
        var read = new KafkaAttributes(texts);
        for (var i = 0; i < headers?.Count; i++)
        {
            var header = headers[i];
            read.Add(header.Key, header.GetValueBytes());
        }

        return read;
    }

    /// <summary>
    /// Gets the version of the event's schema; false if the attribute is invalid. Without the attribute: 1.
    /// </summary>
    public readonly bool TryGetVersion(out int number)
    {
        number = 1;
        return version is null || (int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0);
    }

    /// <summary>
    /// Gets the time of publication; false if the attribute is invalid. Without the attribute: the time of the record.
    /// </summary>
    public readonly bool TryGetTime(Timestamp timestamp, out DateTimeOffset published)
    {
        published = KafkaTime.Of(timestamp);
        return time is null || KafkaTime.TryRead(time, out published);
    }

    private void Add(string name, byte[]? value)
    {
        if (value is null)
        {
            // A header without a value counts as missing.
            return;
        }

        if (KafkaHeaderNames.IsAttribute(name))
        {
            Set(KafkaHeaderNames.AttributeName(name), value);
        }
        else if (KafkaHeaderNames.IsContentType(name))
        {
            ContentType = CommonText(value, CloudEventAttributes.DataContentType);
        }
        else if (KafkaText.TryRead(value, out var text))
        {
            AddPlain(name, text);
        }
    }

    private void AddPlain(string name, string text)
    {
        switch (name)
        {
            case CloudEventAttributes.TraceParent:
                plainTraceParent = text;
                break;
            case CloudEventAttributes.TraceState:
                plainTraceState = text;
                break;
            default:
                (UserHeaders ??= new(StringComparer.Ordinal))[name] = text;
                break;
        }
    }

    private void Set(ReadOnlySpan<char> attribute, byte[] value)
    {
        switch (attribute)
        {
            case CloudEventAttributes.Id:
                Id = Text(value, attribute);
                break;
            case CloudEventAttributes.Type:
                Type = CommonText(value, attribute);
                break;
            case CloudEventAttributes.Source:
                Source = CommonText(value, attribute);
                break;
            case CloudEventAttributes.Time:
                time = value;
                break;
            case CloudEventAttributes.PartitionKey:
                Key = Text(value, attribute);
                break;
            case CloudEventAttributes.SpecVersion:
                CheckSpecVersion(value);
                break;
            case CloudEventAttributes.DataContentType:
                ContentType ??= Text(value, attribute);
                break;
            default:
                SetOptional(attribute, value);
                break;
        }
    }

    // Sets an attribute that most events do not have.
    private void SetOptional(ReadOnlySpan<char> attribute, byte[] value)
    {
        switch (attribute)
        {
            case CloudEventAttributes.EventVersion:
                version = Text(value, attribute);
                break;
            case CloudEventAttributes.CorrelationId:
                CorrelationId = Text(value, attribute);
                break;
            case CloudEventAttributes.CausationId:
                CausationId = Text(value, attribute);
                break;
            case CloudEventAttributes.DerivedId:
                IdIsDerived = value.AsSpan().SequenceEqual("true"u8);
                break;
            case CloudEventAttributes.TraceParent:
                traceParent = Text(value, attribute);
                break;
            case CloudEventAttributes.TraceState:
                traceState = Text(value, attribute);
                break;
            case CloudEventAttributes.Subject:
                Subject = Text(value, attribute);
                break;
            default:
                // An extension attribute that the bus does not use.
                break;
        }
    }

    private void CheckSpecVersion(byte[] value)
    {
        if (!value.AsSpan().SequenceEqual("1.0"u8) && !value.AsSpan().SequenceEqual("1"u8))
        {
            Defect ??= "The attribute 'specversion' names a version of CloudEvents other than 1.0.";
        }
    }

    /// <summary>
    /// Reads an attribute; null, and sets the defect, if it is no UTF-8. Invalid bytes would all be read as the
    /// replacement character, and different ids would become equal.
    /// </summary>
    private string? Text(byte[] value, ReadOnlySpan<char> attribute)
    {
        if (!KafkaText.TryRead(value, out var text))
        {
            AddDefect(attribute);
        }

        return text;
    }

    /// <summary>Reads an attribute that many records have in common, like <see cref="Text"/>.</summary>
    private string? CommonText(byte[] value, ReadOnlySpan<char> attribute)
    {
        if (!texts.TryRead(value, out var text))
        {
            AddDefect(attribute);
        }

        return text;
    }

    private void AddDefect(ReadOnlySpan<char> attribute) => Defect ??= $"The attribute '{attribute}' is not valid UTF-8.";
}
