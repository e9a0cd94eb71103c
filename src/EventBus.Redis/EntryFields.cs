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
            fields.Set((string)field.Name!, field.Value);
        }

        return fields;
    }

    private void Set(string name, RedisValue value)
    {
        if (name == "data")
        {
            Data = value;
        }
        else if (name.StartsWith(RedisWireFormat.HeaderPrefix, StringComparison.Ordinal))
        {
            (Headers ??= new(StringComparer.Ordinal))[name[RedisWireFormat.HeaderPrefix.Length..]] = (string)value!;
        }
        else
        {
            _ = name switch
            {
                "id" => Id = value,
                "type" => Type = value,
                "source" => Source = value,
                "time" => Time = value,
                "datacontenttype" => ContentType = value,
                "eventversion" => Version = value,
                "correlationid" => CorrelationId = value,
                "causationid" => CausationId = value,
                "partitionkey" => Key = value,
                "subject" => Subject = value,
                "traceparent" => TraceParent = value,
                "tracestate" => TraceState = value,
                _ => null,
            };
        }
    }
}
