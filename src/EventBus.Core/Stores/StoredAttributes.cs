using System.Buffers;
using System.Text.Json;
using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>Writes the attributes of a stored event as JSON (UTF-8), and reads them.</summary>
internal static class StoredAttributes
{
    private const int MaxDepth = 4;

    /// <summary>Writes the attributes of an event.</summary>
    public static byte[] Write(Envelope envelope)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("id", envelope.Id);
            json.WriteString("name", envelope.Name);
            json.WriteNumber("version", envelope.Version);
            json.WriteString("time", envelope.Time);
            WriteOptional("key", envelope.Key);
            WriteOptional("correlation", envelope.OtherCorrelationId);
            WriteOptional("causation", envelope.CausationId);
            WriteOptional("traceparent", envelope.TraceParent);
            WriteOptional("tracestate", envelope.TraceState);
            WriteOptional("source", envelope.Source);
            WriteOptional("contenttype", envelope.ContentType == JsonContent.MediaType ? null : envelope.ContentType);
            WriteOptional("defect", envelope.Defect);
            if (envelope.IdIsDerived)
            {
                json.WriteBoolean("derived", true);
            }

            if (envelope.NotBefore is { } notBefore)
            {
                json.WriteString("notbefore", notBefore);
            }

            if (envelope.FullBodyLength is { } length)
            {
                json.WriteNumber("bodylength", length);
            }

            if (envelope.Replay != 0)
            {
                json.WriteNumber("replay", envelope.Replay);
            }

            if (envelope.Headers is { Count: > 0 } headers)
            {
                WriteHeaders(json, headers);
            }

            json.WriteEndObject();

            void WriteOptional(string name, string? value)
            {
                if (value is not null)
                {
                    json.WriteString(name, value);
                }
            }
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteHeaders(Utf8JsonWriter json, IReadOnlyDictionary<string, string> headers)
    {
        json.WriteStartObject("headers");
        foreach (var (name, value) in headers)
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();
    }

    /// <summary>Reads the attributes of an event. The id and the name apply if the attributes have none.</summary>
    /// <exception cref="Exception">
    /// The attributes cannot be read: one of the exceptions that <see cref="StoreFormat.Read"/> catches.
    /// </exception>
    public static EnvelopeAttributes Read(ReadOnlySpan<byte> attributes, string id, string name)
    {
        var reader = new Utf8JsonReader(attributes, new JsonReaderOptions { MaxDepth = MaxDepth });
        using var document = JsonDocument.ParseValue(ref reader);
        var root = document.RootElement;
        return new EnvelopeAttributes
        {
            Id = Text("id") ?? id,
            Name = Text("name") ?? name,
            Version = root.TryGetProperty("version", out var version) ? version.GetInt32() : 1,
            Time = root.TryGetProperty("time", out var time) ? time.GetDateTimeOffset() : DateTimeOffset.UnixEpoch,
            Key = Text("key"),
            CorrelationId = Text("correlation"),
            CausationId = Text("causation"),
            IdIsDerived = root.TryGetProperty("derived", out var derived) && derived.GetBoolean(),
            TraceParent = Text("traceparent"),
            TraceState = Text("tracestate"),
            Source = Text("source"),
            ContentType = Text("contenttype") ?? JsonContent.MediaType,
            Defect = Text("defect"),
            NotBefore = root.TryGetProperty("notbefore", out var notBefore) ? notBefore.GetDateTimeOffset() : null,
            FullBodyLength = root.TryGetProperty("bodylength", out var length) ? length.GetInt64() : null,
            Replay = root.TryGetProperty("replay", out var replay) ? replay.GetInt64() : 0,
            Headers = root.TryGetProperty("headers", out var headers)
                ? headers.EnumerateObject()
                    .ToDictionary(header => header.Name, header => header.Value.GetString() ?? "", StringComparer.Ordinal)
                : null,
        };

        string? Text(string property) => root.TryGetProperty(property, out var value) ? value.GetString() : null;
    }
}
