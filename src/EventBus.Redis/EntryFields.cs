using System.Text;
using StackExchange.Redis;

namespace EventBus;

/// <summary>The fields of an entry that mean something, each once: of several with one name the last.</summary>
internal ref struct EntryFields
{
    public string? Id { get; private set; }

    public string? Type { get; private set; }

    public string? Source { get; private set; }

    public string? Time { get; private set; }

    public string? ContentType { get; private set; }

    public string? Version { get; private set; }

    public string? CorrelationId { get; private set; }

    public string? CausationId { get; private set; }

    public string? Key { get; private set; }

    public string? Subject { get; private set; }

    public string? TraceParent { get; private set; }

    public string? TraceState { get; private set; }

    public byte[]? Data { get; private set; }

    public Dictionary<string, string>? Headers { get; private set; }

    public static EntryFields Of(in StreamEntry entry)
    {
        var fields = default(EntryFields);
        foreach (var field in entry.Values)
        {
            fields.Set(((ReadOnlyMemory<byte>)field.Name).Span, field.Value);
        }

        return fields;
    }

    // By the bytes: no text is made of a name.
    private void Set(ReadOnlySpan<byte> name, RedisValue value)
    {
        if (name.SequenceEqual("data"u8))
        {
            Data = value;
        }
        else if (name.SequenceEqual("id"u8))
        {
            Id = value;
        }
        else if (name.SequenceEqual("type"u8))
        {
            Type = value;
        }
        else if (name.SequenceEqual("time"u8))
        {
            Time = value;
        }
        else if (name.SequenceEqual("source"u8))
        {
            Source = value;
        }
        else if (name.SequenceEqual("eventversion"u8))
        {
            Version = value;
        }
        else if (name.SequenceEqual("datacontenttype"u8))
        {
            ContentType = value;
        }
        else if (name.SequenceEqual("correlationid"u8))
        {
            CorrelationId = value;
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

    private void SetRare(ReadOnlySpan<byte> name, RedisValue value)
    {
        if (name.SequenceEqual("partitionkey"u8))
        {
            Key = value;
        }
        else if (name.SequenceEqual("subject"u8))
        {
            Subject = value;
        }
        else if (name.SequenceEqual("causationid"u8))
        {
            CausationId = value;
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
