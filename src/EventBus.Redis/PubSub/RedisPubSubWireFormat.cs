using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Serializes an event as one message: CloudEvents 1.0 in structured mode, a JSON object of the attributes and
/// <c>data</c>. Also reads plain JSON without attributes.
/// </summary>
internal static class RedisPubSubWireFormat
{
    /// <summary>
    /// The maximum nesting depth of a body that is embedded as JSON. A deeper body is embedded as base64.
    /// </summary>
    public const int MaxDepth = 1_000;

    /// <summary>
    /// The extension that contains the user's headers whose names CloudEvents does not allow, as the text of a JSON
    /// object.
    /// </summary>
    public const string OddHeaders = "headers";

    private const int MaxTypeLength = 200;
    private const int HeadersBytes = 512;
    private const int TimeLength = 33;

    public static readonly JsonWriterOptions Writing =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>Serializes an event as one message.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="source">The source of events that have none of their own.</param>
    /// <param name="writers">Provides the buffer and the writer.</param>
    public static byte[] Write(Envelope envelope, string source, RedisPubSubWriterPool writers)
    {
        var body = envelope.Body.Span;
        var (buffer, writer) = writers.Take();
        writer.WriteStartObject();
        writer.WriteString(CloudEventAttributes.SpecVersion, CloudEventAttributes.Version);
        writer.WriteString(CloudEventAttributes.Id, envelope.Id);
        writer.WriteString(CloudEventAttributes.Type, envelope.Name);
        writer.WriteString(CloudEventAttributes.Source, envelope.Source ?? source);
        writer.WriteString(CloudEventAttributes.Time, Time(envelope.Time.UtcDateTime, stackalloc byte[TimeLength]));
        writer.WriteString(CloudEventAttributes.DataContentType, envelope.ContentType);
        Add(CloudEventAttributes.PartitionKey, envelope.Key);
        Add(CloudEventAttributes.CorrelationId, envelope.CorrelationId == envelope.Id ? null : envelope.CorrelationId);
        Add(CloudEventAttributes.CausationId, envelope.CausationId);
        Add(CloudEventAttributes.DerivedId, envelope.IdIsDerived ? "true" : null);
        Add(CloudEventAttributes.TraceParent, envelope.TraceParent);
        Add(CloudEventAttributes.TraceState, envelope.TraceState);
        if (envelope.Version != 1)
        {
            writer.WriteNumber(CloudEventAttributes.EventVersion, envelope.Version);
        }

        WriteHeaders(writer, envelope.Headers);
        if (CloudEventAttributes.IsJson(envelope.ContentType) && IsValidJson(body))
        {
            writer.WritePropertyName("data");
            writer.WriteRawValue(body, skipInputValidation: true);
        }
        else
        {
            writer.WriteBase64String("data_base64", body);
        }

        writer.WriteEndObject();
        writer.Flush();
        var message = buffer.WrittenSpan.ToArray();
        writers.Return(buffer, writer);
        return message;

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                writer.WriteString(name, value);
            }
        }
    }

    /// <summary>
    /// Reads any message; never throws. An object with a <c>specversion</c> is an envelope; anything else is a body.
    /// </summary>
    /// <param name="eventName">The event name from the channel.</param>
    /// <param name="message">The message. The envelope owns it after the call.</param>
    /// <param name="texts">Caches strings that most messages have in common.</param>
    /// <param name="idWasMade">
    /// True if the message has no id, and one was derived from its content and event name.
    /// </param>
    public static Envelope Read(string eventName, byte[] message, RedisStringCache texts, out bool idWasMade)
    {
        var read = RedisPubSubMessage.TryRead(message, texts);
        var defect = read?.Defect;
        var type = read?[RedisPubSubAttribute.Type] ?? eventName;
        if (!string.Equals(type, eventName, StringComparison.Ordinal) && !RedisStringCache.IsEventName(type))
        {
            defect ??= type.Length > MaxTypeLength
                ? $"The attribute 'type' has {type.Length:N0} characters; at most {MaxTypeLength} are read."
                : "The attribute 'type' is no event name.";
            type = eventName;
        }

        var time = read is null ? DateTimeOffset.UnixEpoch : read.Time;
        if (time is null)
        {
            (time, defect) = (DateTimeOffset.UnixEpoch, defect ?? "The attribute 'time' is no time.");
        }

        var version = 1;
        if (read?[RedisPubSubAttribute.Version] is { } versionText
            && !(int.TryParse(versionText, NumberStyles.None, CultureInfo.InvariantCulture, out version) && version > 0))
        {
            (version, defect) = (1, defect ?? "The attribute 'eventversion' is no number above zero.");
        }

        var id = read?[RedisPubSubAttribute.Id];
        idWasMade = id is not { Length: > 0 };
        return new Envelope(
            new EnvelopeAttributes
            {
                Id = id is { Length: > 0 } ? id : CloudEventAttributes.IdFromContent(eventName, message),
                Name = type,
                Version = version,
                Time = time.Value,
                Key = read?[RedisPubSubAttribute.Key] ?? read?[RedisPubSubAttribute.Subject],
                CorrelationId = read?[RedisPubSubAttribute.CorrelationId],
                CausationId = read?[RedisPubSubAttribute.CausationId],
                IdIsDerived = read?[RedisPubSubAttribute.DerivedId] == "true",
                TraceParent = read?[RedisPubSubAttribute.TraceParent],
                TraceState = read?[RedisPubSubAttribute.TraceState],
                Source = read?[RedisPubSubAttribute.Source],
                ContentType = read?[RedisPubSubAttribute.ContentType] ?? "application/json",
                Headers = read?.TakeHeaders(),
                Defect = defect,
            },
            read?.Data ?? message);
    }

    /// <summary>
    /// Writes the headers. CloudEvents extension names consist of lowercase letters and digits; headers with other
    /// names are combined in one extension.
    /// </summary>
    private static void WriteHeaders(Utf8JsonWriter writer, IReadOnlyDictionary<string, string> headers)
    {
        Dictionary<string, string>? odd = null;
        foreach (var (name, value) in headers)
        {
            if (name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c)) && !IsAttribute(name))
            {
                writer.WriteString(name, value);
            }
            else
            {
                (odd ??= new(StringComparer.Ordinal)).Add(name, value);
            }
        }

        if (odd is not null)
        {
            var buffer = new ArrayBufferWriter<byte>(HeadersBytes);
            using var inner = new Utf8JsonWriter(buffer, Writing);
            inner.WriteStartObject();
            foreach (var (name, value) in odd)
            {
                inner.WriteString(name, value);
            }

            inner.WriteEndObject();
            inner.Flush();
            writer.WriteString(OddHeaders, buffer.WrittenSpan);
        }
    }

    /// <summary>True if the name is reserved, so that a header cannot be an extension of that name.</summary>
    private static bool IsAttribute(string name) => CloudEventAttributes.Contains(name) || name is "data" or OddHeaders;

    private static ReadOnlySpan<byte> Time(DateTime time, Span<byte> buffer) =>
        Utf8Formatter.TryFormat(time, buffer, out var length, 'O')
            ? buffer[..length]
            : throw new InvalidOperationException($"A time takes more than {TimeLength} bytes.");

    private static bool IsValidJson(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = MaxDepth });
            while (reader.Read())
            {
            }

            // The reader does not validate the UTF-8 inside strings.
            return body.Length > 0 && Utf8.IsValid(body);
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
