using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>
/// Defines the common format of events in durable stores: the attributes as JSON, stored next to the body. Reads never
/// throw because of stored data.
/// </summary>
/// <remarks>
/// Events that are read have <see cref="Envelope.FromHandler"/> set: if the bus publishes them, it must not wait for
/// capacity.
/// </remarks>
public static class StoreFormat
{
    private const int MaxDepth = 4;

    // The number of an attempt in the history. Entries that are already stored have this name, so it must not change.
    private const string AttemptProperty = "start";

    /// <summary>Writes the attributes of an event as JSON (UTF-8).</summary>
    /// <param name="envelope">The event.</param>
    public static byte[] WriteAttributes(Envelope envelope)
    {
        ArgumentNullException.ThrowIfNull(envelope);
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

            if (envelope.Headers is { Count: > 0 } headers)
            {
                json.WriteStartObject("headers");
                foreach (var (name, value) in headers)
                {
                    json.WriteString(name, value);
                }

                json.WriteEndObject();
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

    /// <summary>
    /// Reads an event. If it cannot be read, returns a placeholder with the given id, name and body, whose
    /// <see cref="Envelope.Defect"/> gives the reason.
    /// </summary>
    /// <param name="attributes">The attributes, as written by <see cref="WriteAttributes"/>.</param>
    /// <param name="body">The body. The envelope takes ownership.</param>
    /// <param name="id">
    /// The event's id, as far as the store knows it from other data, such as the key of the entry.
    /// </param>
    /// <param name="name">The event's name, as far as the store knows it from other data.</param>
    public static Envelope Read(ReadOnlySpan<byte> attributes, byte[] body, string id, string name)
    {
        ArgumentNullException.ThrowIfNull(body);
        try
        {
            return new Envelope(ReadAttributes(attributes, id, name), body) { FromHandler = true };
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or FormatException or ArgumentException)
        {
            return Unreadable($"The stored attributes cannot be read: {ReadFailure.Describe(exception)}.", id, name, body);
        }
    }

    /// <summary>Writes the history of an entry as JSON (UTF-8).</summary>
    /// <param name="history">The failed attempts.</param>
    public static byte[] WriteHistory(IReadOnlyList<FailedAttempt> history)
    {
        ArgumentNullException.ThrowIfNull(history);
        var buffer = new ArrayBufferWriter<byte>(64);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            foreach (var attempt in history)
            {
                json.WriteStartObject();
                json.WriteNumber(AttemptProperty, attempt.Attempt);
                json.WriteString("at", attempt.At);
                json.WriteString("error", attempt.Error);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads the history of an entry; empty if it cannot be read.</summary>
    /// <param name="history">The bytes that <see cref="WriteHistory"/> returned.</param>
    public static IReadOnlyList<FailedAttempt> ReadHistory(ReadOnlySpan<byte> history)
    {
        try
        {
            var reader = new Utf8JsonReader(history, new JsonReaderOptions { MaxDepth = MaxDepth });
            using var document = JsonDocument.ParseValue(ref reader);
            return [.. document.RootElement.EnumerateArray().Take(FailedEvent.MaxHistory).Select(attempt => new FailedAttempt(
                attempt.GetProperty(AttemptProperty).GetInt32(),
                attempt.GetProperty("at").GetDateTimeOffset(),
                attempt.GetProperty("error").GetString() ?? ""))];
        }
        catch (Exception exception)
            when (exception is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            return [];
        }
    }

    /// <summary>
    /// Writes several events into one value. Each event consists of the length of its attributes, the attributes, the
    /// length of its body, and the body. Lengths are 32-bit little-endian integers.
    /// </summary>
    /// <param name="events">The events, in their order.</param>
    public static byte[] WriteOutbox(IReadOnlyList<Envelope> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        var buffer = new ArrayBufferWriter<byte>(256);
        foreach (var envelope in events)
        {
            WritePart(buffer, WriteAttributes(envelope));
            WritePart(buffer, envelope.Body.Span);
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>
    /// Reads several events. Data that cannot be read becomes a placeholder event
    /// (<see cref="CloudEventAttributes.UnreadableType"/>), with all remaining bytes as its body.
    /// </summary>
    /// <param name="outbox">The bytes that <see cref="WriteOutbox"/> returned.</param>
    /// <param name="owner">The owner of the events, whose name becomes part of the placeholder's id.</param>
    public static IReadOnlyList<Envelope> ReadOutbox(ReadOnlySpan<byte> outbox, string owner)
    {
        ArgumentNullException.ThrowIfNull(owner);
        var events = new List<Envelope>();
        var rest = outbox;
        while (!rest.IsEmpty)
        {
            var id = $"{owner}/{events.Count.ToString(CultureInfo.InvariantCulture)}";
            var afterEvent = rest;
            if (!TryReadPart(ref afterEvent, out var attributes) || !TryReadPart(ref afterEvent, out var body))
            {
                events.Add(
                    Unreadable("The stored event is cut off or was changed.", id, CloudEventAttributes.UnreadableType, rest.ToArray()));
                break;
            }

            events.Add(Read(attributes, body.ToArray(), id, CloudEventAttributes.UnreadableType));
            rest = afterEvent;
        }

        return events;
    }

    private static Envelope Unreadable(string defect, string id, string name, byte[] body) =>
        new(new EnvelopeAttributes { Id = id, Name = name, Defect = defect }, body) { FromHandler = true };

    private static void WritePart(ArrayBufferWriter<byte> buffer, ReadOnlySpan<byte> part)
    {
        BinaryPrimitives.WriteInt32LittleEndian(buffer.GetSpan(sizeof(int)), part.Length);
        buffer.Advance(sizeof(int));
        buffer.Write(part);
    }

    private static bool TryReadPart(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> part)
    {
        part = default;
        if (!BinaryPrimitives.TryReadInt32LittleEndian(rest, out var length) || length < 0 || length > rest.Length - sizeof(int))
        {
            return false;
        }

        part = rest.Slice(sizeof(int), length);
        rest = rest[(sizeof(int) + length)..];
        return true;
    }

    private static EnvelopeAttributes ReadAttributes(ReadOnlySpan<byte> attributes, string id, string name)
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
            Headers = root.TryGetProperty("headers", out var headers)
                ? headers.EnumerateObject()
                    .ToDictionary(header => header.Name, header => header.Value.GetString() ?? "", StringComparer.Ordinal)
                : null,
        };

        string? Text(string property) => root.TryGetProperty(property, out var value) ? value.GetString() : null;
    }
}
