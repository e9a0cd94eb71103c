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

    private const int MaxTypeLength = 200;
    private const int MaxTimeLength = 33;

    public static readonly JsonWriterOptions WriterOptions =
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
        writer.WriteString(CloudEventAttributes.Time, FormatTime(envelope.Time.UtcDateTime, stackalloc byte[MaxTimeLength]));
        writer.WriteString(CloudEventAttributes.DataContentType, envelope.ContentType);
        WriteUnlessNull(CloudEventAttributes.PartitionKey, envelope.Key);

        // Without the attribute, the event is its own correlation.
        WriteUnlessNull(CloudEventAttributes.CorrelationId, envelope.CorrelationId == envelope.Id ? null : envelope.CorrelationId);
        WriteUnlessNull(CloudEventAttributes.CausationId, envelope.CausationId);
        WriteUnlessNull(CloudEventAttributes.DerivedId, envelope.IdIsDerived ? "true" : null);
        WriteUnlessNull(CloudEventAttributes.TraceParent, envelope.TraceParent);
        WriteUnlessNull(CloudEventAttributes.TraceState, envelope.TraceState);

        // A message without a version has version 1.
        if (envelope.Version != 1)
        {
            writer.WriteNumber(CloudEventAttributes.EventVersion, envelope.Version);
        }

        RedisPubSubHeaders.Write(writer, envelope.Headers);
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

        void WriteUnlessNull(string name, string? value)
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
    /// <param name="commonStrings">Caches strings that most messages have in common.</param>
    /// <param name="isIdFromContent">
    /// True if the message has no id, and one was derived from its content and event name.
    /// </param>
    public static Envelope Read(string eventName, byte[] message, RedisStringCache commonStrings, out bool isIdFromContent)
    {
        var read = RedisPubSubMessage.TryRead(message, commonStrings);
        var defect = read?.Defect;

        // The type may differ from the name in the channel, but must also be an event name.
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
            defect ??= "The attribute 'time' is no time.";
            time = DateTimeOffset.UnixEpoch;
        }

        var version = 1;
        var versionText = read?[RedisPubSubAttribute.Version];
        if (versionText is not null && !TryParseVersion(versionText, out version))
        {
            defect ??= "The attribute 'eventversion' is no number above zero.";
            version = 1;
        }

        var id = read?[RedisPubSubAttribute.Id];
        isIdFromContent = string.IsNullOrEmpty(id);
        return new Envelope(
            new EnvelopeAttributes
            {
                Id = string.IsNullOrEmpty(id) ? CloudEventAttributes.IdFromContent(eventName, message) : id,
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

    private static bool TryParseVersion(string text, out int version) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out version) && version > 0;

    private static ReadOnlySpan<byte> FormatTime(DateTime time, Span<byte> buffer) =>
        Utf8Formatter.TryFormat(time, buffer, out var length, 'O')
            ? buffer[..length]
            : throw new InvalidOperationException($"A time takes more than {MaxTimeLength} bytes.");

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
