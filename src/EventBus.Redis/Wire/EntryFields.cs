using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Unicode;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Holds the fields of an entry that the bus uses. If several fields have the same name, the last one counts.
/// </summary>
/// <param name="texts">Caches strings that most entries have in common.</param>
internal ref struct EntryFields(RedisStringCache texts)
{
    private RedisValue id;
    private RedisValue correlationId;
    private RedisValue type;
    private RedisValue time;
    private RedisValue version;
    private RedisValue source;

    public readonly string? Id => id;

    /// <summary>The correlation id; null if it is missing or equal to the id.</summary>
    public readonly string? CorrelationId => BytesOf(correlationId).SequenceEqual(BytesOf(id)) ? null : (string?)correlationId;

    /// <summary>The reason why the fields are invalid; null if they are valid.</summary>
    public string? Defect { get; private set; }

    /// <summary>The length of the type in characters, valid or not; null if it is missing.</summary>
    public readonly int? TypeLength => type.IsNull ? null : Encoding.UTF8.GetCharCount(BytesOf(type));

    /// <summary>The event name; null if the type is missing or is not an event name.</summary>
    public readonly string? EventName => type.IsNull ? null : texts.GetEventName(BytesOf(type));

    public readonly string? Source => source.IsNull ? null : texts.Get(BytesOf(source));

    /// <summary>The media type; null if it is missing or JSON.</summary>
    public string? ContentType { get; private set; }

    public string? CausationId { get; private set; }

    public bool IdIsDerived { get; private set; }

    public string? Key { get; private set; }

    public string? Subject { get; private set; }

    public string? TraceParent { get; private set; }

    public string? TraceState { get; private set; }

    public byte[]? Data { get; private set; }

    public Dictionary<string, string>? Headers { get; private set; }

    /// <summary>
    /// Gets the time of publication; false if the field is not a valid time. The Unix epoch if there is no such field.
    /// </summary>
    public readonly bool TryGetTime(out DateTimeOffset published)
    {
        published = DateTimeOffset.UnixEpoch;
        if (time.IsNull)
        {
            return true;
        }

        // The format that the bus writes is parsed without allocating a string. Any other valid time is accepted too.
        var bytes = BytesOf(time);
        return (bytes.Length > 0
            && bytes[^1] == 'Z'
            && Utf8Parser.TryParse(bytes, out published, out var length, 'O')
            && length == bytes.Length)
            || DateTimeOffset.TryParse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out published);
    }

    /// <summary>
    /// Gets the version of the event; false if the field is not a positive number. 1 if there is no such field.
    /// </summary>
    public readonly bool TryGetVersion(out int number)
    {
        number = 1;
        return version.IsNull
            || (int.TryParse(BytesOf(version), NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0);
    }

    /// <summary>Stores a field if it is a known attribute or a header. Ignores other fields.</summary>
    /// <param name="name">The name as bytes, compared without allocating a string.</param>
    /// <param name="value">The value.</param>
    public void Set(ReadOnlySpan<byte> name, RedisValue value)
    {
        if (name.StartsWith(RedisWireFormat.HeaderPrefixBytes))
        {
            var header = Encoding.UTF8.GetString(name[RedisWireFormat.HeaderPrefixBytes.Length..]);
            (Headers ??= new(StringComparer.Ordinal))[header] = (string)value!;
            return;
        }

        Span<char> text = stackalloc char[CloudEventAttributes.MaxLength];
        if (name.Length <= text.Length && Ascii.ToUtf16(name, text, out var length) == OperationStatus.Done)
        {
            SetAttribute(text[..length], value);
        }
    }

    private void SetAttribute(scoped ReadOnlySpan<char> name, RedisValue value)
    {
        switch (name)
        {
            case RedisWireFormat.Data:
                Data = value;
                break;
            case CloudEventAttributes.Id:
                id = Checked(value, CloudEventAttributes.Id);
                break;
            case CloudEventAttributes.Type:
                type = value;
                break;
            case CloudEventAttributes.Time:
                time = value;
                break;
            case CloudEventAttributes.Source:
                source = value;
                break;
            case CloudEventAttributes.EventVersion:
                version = value;
                break;
            case CloudEventAttributes.DataContentType:
                var isJson = BytesOf(value).SequenceEqual("application/json"u8);
                ContentType = isJson ? null : (string?)Checked(value, CloudEventAttributes.DataContentType);
                break;
            case CloudEventAttributes.CorrelationId:
                correlationId = Checked(value, CloudEventAttributes.CorrelationId);
                break;
            case CloudEventAttributes.PartitionKey:
                Key = Checked(value, CloudEventAttributes.PartitionKey);
                break;
            case CloudEventAttributes.Subject:
                Subject = Checked(value, CloudEventAttributes.Subject);
                break;
            case CloudEventAttributes.CausationId:
                CausationId = Checked(value, CloudEventAttributes.CausationId);
                break;
            case CloudEventAttributes.DerivedId:
                IdIsDerived = BytesOf(value).SequenceEqual("true"u8);
                break;
            case CloudEventAttributes.TraceParent:
                TraceParent = value;
                break;
            case CloudEventAttributes.TraceState:
                TraceState = value;
                break;
            default:
                // An attribute that the bus does not use.
                break;
        }
    }

    private static ReadOnlySpan<byte> BytesOf(RedisValue value) => ((ReadOnlyMemory<byte>)value).Span;

    /// <summary>
    /// Returns the value if it is valid UTF-8. Invalid bytes would all be read as the replacement character, and
    /// different ids would become equal.
    /// </summary>
    private RedisValue Checked(RedisValue value, string attribute)
    {
        if (Utf8.IsValid(BytesOf(value)))
        {
            return value;
        }

        Defect ??= $"The attribute '{attribute}' is no text.";
        return RedisValue.Null;
    }
}
