using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Unicode;
using StackExchange.Redis;

namespace EventBus;

/// <summary>The fields of an entry that mean something, each once: of several with one name the last.</summary>
/// <param name="texts">Remembers what most entries say.</param>
internal ref struct EntryFields(RedisStringCache texts)
{
    private RedisValue id;
    private RedisValue correlationId;
    private RedisValue type;
    private RedisValue time;
    private RedisValue version;
    private RedisValue source;

    public readonly string? Id => id;

    /// <summary>Null for none that differs from the id.</summary>
    public readonly string? CorrelationId => BytesOf(correlationId).SequenceEqual(BytesOf(id)) ? null : (string?)correlationId;

    /// <summary>What is wrong with them; null when nothing is.</summary>
    public string? Defect { get; private set; }

    /// <summary>How long the type is, whatever it says; null for none.</summary>
    public readonly int? TypeLength => type.IsNull ? null : Encoding.UTF8.GetCharCount(BytesOf(type));

    /// <summary>The event's name; null where the type is none.</summary>
    public readonly string? EventName => type.IsNull ? null : texts.GetEventName(BytesOf(type));

    public readonly string? Source => source.IsNull ? null : texts.Get(BytesOf(source));

    /// <summary>The media type; null for none other than JSON.</summary>
    public string? ContentType { get; private set; }

    public string? CausationId { get; private set; }

    public bool IdIsDerived { get; private set; }

    public string? Key { get; private set; }

    public string? Subject { get; private set; }

    public string? TraceParent { get; private set; }

    public string? TraceState { get; private set; }

    public byte[]? Data { get; private set; }

    public Dictionary<string, string>? Headers { get; private set; }

    /// <summary>When the event was published; false if it says something else. Without the field: the Unix epoch.</summary>
    public readonly bool TryGetTime(out DateTimeOffset published)
    {
        published = DateTimeOffset.UnixEpoch;
        if (time.IsNull)
        {
            return true;
        }

        // As the bus writes it: no text is made of it. Anything else that is a time is read as well.
        var bytes = BytesOf(time);
        return (bytes.Length > 0 && bytes[^1] == 'Z' && Utf8Parser.TryParse(bytes, out published, out var length, 'O') && length == bytes.Length)
            || DateTimeOffset.TryParse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out published);
    }

    /// <summary>The version of the event's shape; false if it says something else. Without the field: 1.</summary>
    public readonly bool TryGetVersion(out int number)
    {
        number = 1;
        return version.IsNull || (int.TryParse(BytesOf(version), NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0);
    }

    /// <summary>Takes a field.</summary>
    /// <param name="name">Its name. By the bytes: no text is made of it.</param>
    /// <param name="value">Its value.</param>
    public void Set(ReadOnlySpan<byte> name, RedisValue value)
    {
        if (name.SequenceEqual("data"u8))
        {
            Data = value;
        }
        else if (name.SequenceEqual("id"u8))
        {
            id = Checked(value, "id");
        }
        else if (name.SequenceEqual("type"u8))
        {
            type = value;
        }
        else if (name.SequenceEqual("time"u8))
        {
            time = value;
        }
        else if (name.SequenceEqual("source"u8))
        {
            source = value;
        }
        else if (name.SequenceEqual("eventversion"u8))
        {
            version = value;
        }
        else if (name.SequenceEqual("datacontenttype"u8))
        {
            ContentType = BytesOf(value).SequenceEqual("application/json"u8) ? null : (string?)Checked(value, "datacontenttype");
        }
        else if (name.SequenceEqual("correlationid"u8))
        {
            correlationId = Checked(value, "correlationid");
        }
        else if (name.StartsWith(RedisWireFormat.HeaderPrefixBytes))
        {
            (Headers ??= new(StringComparer.Ordinal))[Encoding.UTF8.GetString(name[RedisWireFormat.HeaderPrefixBytes.Length..])] = (string)value!;
        }
        else
        {
            SetRare(name, value);
        }
    }

    private static ReadOnlySpan<byte> BytesOf(RedisValue value) => ((ReadOnlyMemory<byte>)value).Span;

    /// <summary>The value if it is UTF-8. Bytes that are not would all read as one replacement character, and different ids as the same.</summary>
    private RedisValue Checked(RedisValue value, string attribute)
    {
        if (Utf8.IsValid(BytesOf(value)))
        {
            return value;
        }

        Defect ??= $"The attribute '{attribute}' is no text.";
        return RedisValue.Null;
    }

    private void SetRare(ReadOnlySpan<byte> name, RedisValue value)
    {
        if (name.SequenceEqual("partitionkey"u8))
        {
            Key = Checked(value, "partitionkey");
        }
        else if (name.SequenceEqual("subject"u8))
        {
            Subject = Checked(value, "subject");
        }
        else if (name.SequenceEqual("causationid"u8))
        {
            CausationId = Checked(value, "causationid");
        }
        else if (name.SequenceEqual("derivedid"u8))
        {
            IdIsDerived = BytesOf(value).SequenceEqual("true"u8);
        }
        else if (name.SequenceEqual("traceparent"u8))
        {
            TraceParent = value;
        }
        else if (name.SequenceEqual("tracestate"u8))
        {
            TraceState = value;
        }
    }
}
