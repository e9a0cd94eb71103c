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
        switch (name)
        {
            case "id": Id = value; break;
            case "type": Type = value; break;
            case "source": Source = value; break;
            case "time": Time = value; break;
            case "datacontenttype": ContentType = value; break;
            case "eventversion": Version = value; break;
            case "correlationid": CorrelationId = value; break;
            case "causationid": CausationId = value; break;
            case "partitionkey": Key = value; break;
            case "subject": Subject = value; break;
            case "traceparent": TraceParent = value; break;
            case "tracestate": TraceState = value; break;
            case "data": Data = value; break;
            default:
                if (name.StartsWith(RedisWireFormat.HeaderPrefix, StringComparison.Ordinal))
                {
                    (Headers ??= new(StringComparer.Ordinal))[name[RedisWireFormat.HeaderPrefix.Length..]] = (string)value!;
                }

                break;
        }
    }
}
