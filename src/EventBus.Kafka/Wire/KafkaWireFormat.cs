using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Converts events to and from records: CloudEvents 1.0 in binary mode, with attributes as headers and plain JSON as
/// the value.
/// </summary>
internal static class KafkaWireFormat
{
    private const string Prefix = KafkaHeaderNames.AttributePrefix;
    private const string Json = "application/json";

    /// <summary>Gets the reason why a record cannot carry an event; null if it can.</summary>
    public static string? FindProblem(Envelope envelope)
    {
        foreach (var name in envelope.Headers.Keys)
        {
            if (KafkaHeaderNames.IsReserved(name))
            {
                return $"The header name '{name}' is reserved by CloudEvents, which Kafka carries in headers. Choose another name.";
            }
        }

        return null;
    }

    /// <summary>Converts an event to a record. An event without a source gets that of the common headers.</summary>
    /// <exception cref="EventBusException">The event cannot be serialized.</exception>
    public static Message<byte[]?, byte[]> Write(Envelope envelope, KafkaHeaderCache common)
    {
        var headers = new Headers();
        headers.Add(common.SpecVersion);
        Add(Prefix + CloudEventAttributes.Id, envelope.Id);
        headers.Add(common.TypeOf(envelope.Name));
        headers.Add(common.SourceOf(envelope.Source));
        headers.Add(Prefix + CloudEventAttributes.Time, KafkaTime.Write(envelope.Time));
        headers.Add(envelope.ContentType == Json
            ? common.Json
            : new Header(KafkaHeaderNames.ContentType, Encoding.UTF8.GetBytes(envelope.ContentType)));
        Add(Prefix + CloudEventAttributes.PartitionKey, envelope.Key);
        Add(
            Prefix + CloudEventAttributes.EventVersion,
            envelope.Version == 1 ? null : envelope.Version.ToString(CultureInfo.InvariantCulture));
        Add(Prefix + CloudEventAttributes.CorrelationId, envelope.CorrelationId == envelope.Id ? null : envelope.CorrelationId);
        Add(Prefix + CloudEventAttributes.CausationId, envelope.CausationId);
        Add(Prefix + CloudEventAttributes.DerivedId, envelope.IdIsDerived ? "true" : null);
        Add(Prefix + CloudEventAttributes.TraceParent, envelope.TraceParent);
        Add(Prefix + CloudEventAttributes.TraceState, envelope.TraceState);
        foreach (var (name, value) in envelope.Headers)
        {
            headers.Add(name, Encoding.UTF8.GetBytes(value));
        }

        return new Message<byte[]?, byte[]>
        {
            Key = envelope.Key is { } key ? Encoding.UTF8.GetBytes(key) : null,
            Value = BytesOf(envelope.Body),
            Headers = headers,
        };

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                headers.Add(name, Encoding.UTF8.GetBytes(value));
            }
        }
    }

    /// <summary>
    /// Reads a record like <see cref="Read"/>, but never throws: an unreadable record would fail again at each
    /// delivery.
    /// </summary>
    /// <param name="record">The record.</param>
    /// <param name="names">Knows the topics.</param>
    /// <param name="texts">The texts that the records have in common; null for none.</param>
    public static KafkaReading ReadAny(ConsumeResult<byte[]?, byte[]?> record, KafkaTopology names, KafkaTextCache? texts = null)
    {
        try
        {
            return Read(record, names, texts);
        }
        catch (Exception exception)
        {
            return new KafkaReading(
                new Envelope(
                    new EnvelopeAttributes
                    {
                        Id = IdOf(record),
                        Name = names.UnreadableNameOf(record.Topic),
                        Defect = $"The record cannot be read ({exception.GetType().Name}).",
                    },
                    record.Message.Value ?? []),
                KafkaReadingKind.Event);
        }
    }

    /// <summary>Reads a record. If it is not a valid event, the envelope has a defect and keeps the value.</summary>
    /// <param name="record">The record.</param>
    /// <param name="names">Knows the topics.</param>
    /// <param name="texts">The texts that the records have in common; null for none.</param>
    public static KafkaReading Read(ConsumeResult<byte[]?, byte[]?> record, KafkaTopology names, KafkaTextCache? texts = null)
    {
        texts ??= new KafkaTextCache();
        var message = record.Message;
        var body = message.Value ?? [];
        var attributes = KafkaAttributes.Read(message.Headers, texts);
        var defect = attributes.Defect ?? KafkaDefect.OfContent(attributes.ContentType, body);
        var type = string.IsNullOrEmpty(attributes.Type) ? null : attributes.Type;
        var name = type ?? KafkaEventNaming.Find(attributes.UserHeaders, body, names.ReaderOf(record.Topic));
        var kind = name is null ? KafkaReadingKind.Nameless : KafkaReadingKind.Event;
        if (name is null)
        {
            kind = message.Value is null ? KafkaReadingKind.Tombstone : kind;
            defect ??= KafkaDefect.OfMissingName(record.Topic, message.Value is null);
        }
        else if (!texts.IsName(name))
        {
            defect ??= KafkaDefect.OfName(name);
            name = null;
        }

        if (!attributes.TryGetVersion(out var version))
        {
            version = 1;
            defect ??= "The attribute 'eventversion' is not a number above zero.";
        }

        if (!attributes.TryGetTime(message.Timestamp, out var time))
        {
            time = DateTimeOffset.UnixEpoch;
            defect ??= "The attribute 'time' is not a time.";
        }

        var id = string.IsNullOrEmpty(attributes.Id) ? PlainIdOf(attributes, type) ?? IdOf(record) : attributes.Id;
        var envelope = new Envelope(
            new EnvelopeAttributes
            {
                Id = id,
                Name = name ?? names.UnreadableNameOf(record.Topic),
                Version = version,
                Key = attributes.Key ?? KafkaText.KeyOf(message.Key) ?? attributes.Subject,
                Time = time,
                Headers = attributes.UserHeaders,

                // Null stands for the event's own id.
                CorrelationId = attributes.CorrelationId == id ? null : attributes.CorrelationId,
                CausationId = attributes.CausationId,
                IdIsDerived = attributes.IdIsDerived,
                TraceParent = attributes.TraceParent,
                TraceState = attributes.TraceState,
                Source = attributes.Source ?? record.Topic,
                ContentType = string.IsNullOrEmpty(attributes.ContentType) ? Json : attributes.ContentType,
                Defect = defect,
            },
            body);
        return new KafkaReading(envelope, kind);
    }

    // The header of a program that writes no CloudEvents.
    private static string? PlainIdOf(in KafkaAttributes attributes, string? type)
    {
        var id = type is null ? attributes.UserHeaders?.GetValueOrDefault(KafkaHeaderNames.PlainId) : null;
        return string.IsNullOrEmpty(id) ? null : id;
    }

    // The place of a record never changes, so every delivery gets the same id.
    private static string IdOf(ConsumeResult<byte[]?, byte[]?> record) =>
        string.Create(CultureInfo.InvariantCulture, $"{record.Topic}/{record.Partition.Value}/{record.Offset.Value}");

    private static byte[] BytesOf(ReadOnlyMemory<byte> body) =>
        MemoryMarshal.TryGetArray(body, out var part) && part.Array is { } array && part.Offset == 0 && part.Count == array.Length
            ? array
            : body.ToArray();
}
