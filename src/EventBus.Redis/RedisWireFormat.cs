using System.Globalization;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>An event as the fields of a stream entry: CloudEvents attributes by their own names, user headers behind a prefix, the body as <c>data</c>.</summary>
internal static class RedisWireFormat
{
    private const string HeaderPrefix = "header:";
    private const int MaxIdLength = 128;

    public static NameValueEntry[] Write(Envelope envelope, string source)
    {
        var fields = new List<NameValueEntry>(12)
        {
            new("specversion", "1.0"),
            new("id", envelope.EventId),
            new("type", envelope.EventName),
            new("source", envelope.Origin ?? source),
            new("time", envelope.Time.UtcDateTime.ToString("O", CultureInfo.InvariantCulture)),
            new("datacontenttype", envelope.ContentType),
            new("eventversion", envelope.EventVersion),
            new("correlationid", envelope.CorrelationId),
        };
        Add("partitionkey", envelope.Key);
        Add("causationid", envelope.CausationId);
        Add("traceparent", envelope.TraceParent);
        Add("tracestate", envelope.TraceState);
        foreach (var (name, value) in envelope.Headers)
        {
            Add(HeaderPrefix + name, value);
        }

        fields.Add(new("data", envelope.Body));
        return [.. fields];

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                fields.Add(new(name, value));
            }
        }
    }

    /// <summary>Reads an entry; never throws. A plain entry of <c>type</c> and <c>data</c> is enough; what is missing gets a default.</summary>
    /// <param name="word">The first word of the events in the stream.</param>
    /// <param name="entry">The entry.</param>
    public static Envelope Read(string word, in StreamEntry entry)
    {
        var fields = new Dictionary<string, RedisValue>(entry.Values.Length, StringComparer.Ordinal);
        Dictionary<string, string>? headers = null;
        foreach (var (name, value) in entry.Values.Select(field => ((string)field.Name!, field.Value)))
        {
            if (name.StartsWith(HeaderPrefix, StringComparison.Ordinal))
            {
                (headers ??= new(StringComparer.Ordinal))[name[HeaderPrefix.Length..]] = (string)value!;
            }
            else
            {
                fields[name] = value;
            }
        }

        string? defect = null;
        var time = DateTimeOffset.UnixEpoch;
        var version = 1;
        var type = Text("type");
        if (type is null || !IsEventName(type))
        {
            defect = type is null ? "The entry has no field 'type'." : "The field 'type' is no event name.";
            type = Nameless(word);
        }

        if (Text("time") is { } timeText && !DateTimeOffset.TryParse(timeText, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time))
        {
            defect ??= "The field 'time' is no time.";
        }

        if (Text("eventversion") is { } versionText && !(int.TryParse(versionText, NumberStyles.None, CultureInfo.InvariantCulture, out version) && version > 0))
        {
            (defect, version) = (defect ?? "The field 'eventversion' is no positive number.", 1);
        }

        // Unique for as long as the stream lives, and the same for every subscription and every delivery.
        var ownId = $"{word}/{entry.Id}";
        var id = Text("id") ?? ownId;
        if (id.Length is 0 or > MaxIdLength)
        {
            (defect, id) = (defect ?? $"The field 'id' has {id.Length} characters; 1 to {MaxIdLength} are allowed.", ownId);
        }

        if (!fields.TryGetValue("data", out var data))
        {
            defect ??= "The entry has no field 'data'.";
        }

        return new Envelope(
            new EnvelopeAttributes
            {
                Id = id,
                Name = type,
                Version = version,
                Key = Text("partitionkey") ?? Text("subject"),
                Time = time,
                Headers = headers,
                CorrelationId = Text("correlationid"),
                CausationId = Text("causationid"),
                TraceParent = Text("traceparent"),
                TraceState = Text("tracestate"),
                Origin = Text("source"),
                ContentType = Text("datacontenttype") ?? "application/json",
                Defect = defect,
            },
            (byte[]?)data ?? []);

        string? Text(string name) => fields.TryGetValue(name, out var value) ? (string?)value : null;
    }

    /// <summary>The name given to entries of a stream that name no event: they concern every subscription that reads the stream.</summary>
    public static string Nameless(string word) => $"{word}.unreadable";

    private static bool IsEventName(string text)
    {
        try
        {
            return text.Contains('.', StringComparison.Ordinal) && EventPattern.Parse(text).IsExact;
        }
        catch (FormatException)
        {
            return false;
        }
    }
}
