using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Converts events to and from messages: CloudEvents 1.0 in binary mode, with attributes as headers and plain JSON as
/// the body.
/// </summary>
internal static class RabbitMqWireFormat
{
    private const string Prefix = RabbitMqHeaderNames.AttributePrefix;

    // The maximum size of an AMQP short string, such as the message id.
    private const int MaxShortBytes = 255;

    // The content encodings that other clients write for a body that is not encoded.
    private static readonly ImmutableArray<string> PlainEncodings =
        ["utf-8", "utf8", "us-ascii", "ascii", "identity", "none", "8bit", "7bit", "binary"];

    /// <summary>Gets the reason why RabbitMQ cannot carry an event; null if it can.</summary>
    public static string? FindProblem(Envelope envelope)
    {
        if (!IsShort(envelope.Id))
        {
            return $"The event's id has {Encoding.UTF8.GetByteCount(envelope.Id)} bytes as UTF-8; RabbitMQ carries at most "
                + $"{MaxShortBytes}. Use a shorter one, or fewer characters that are not ASCII.";
        }

        if (!IsShort(envelope.ContentType))
        {
            return $"The event's content type is longer than the {MaxShortBytes} bytes that RabbitMQ carries.";
        }

        foreach (var name in envelope.Headers.Keys)
        {
            if (RabbitMqHeaderNames.IsAttribute(name) || RabbitMqHeaderNames.IsReserved(name) || name is "CC" or "BCC")
            {
                return $"The header name '{name}' is reserved by RabbitMQ, CloudEvents or the bus. Choose another name.";
            }
        }

        return null;
    }

    /// <summary>
    /// Creates the properties of a message. Each attempt needs new ones, because the client writes into them.
    /// </summary>
    public static BasicProperties Write(Envelope envelope, string serviceName)
    {
        var headers = new Dictionary<string, object?>
        {
            [Prefix + CloudEventAttributes.SpecVersion] = CloudEventAttributes.Version,
            [Prefix + CloudEventAttributes.Id] = envelope.Id,
            [Prefix + CloudEventAttributes.Type] = envelope.Name,
            [Prefix + CloudEventAttributes.Source] = envelope.Source ?? serviceName,
            [Prefix + CloudEventAttributes.Time] = envelope.Time.ToString("O", CultureInfo.InvariantCulture),
        };
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
            headers[name] = value;
        }

        return new BasicProperties
        {
            Headers = headers,
            Persistent = true,

            // An event of another program, for which a failure is stored, may have a longer id. The header contains it.
            MessageId = IsShort(envelope.Id) ? envelope.Id : null,
            ContentType = envelope.ContentType,
            Timestamp = new AmqpTimestamp(envelope.Time.ToUnixTimeSeconds()),
        };

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                headers[name] = value;
            }
        }
    }

    /// <summary>
    /// Reads a message like <see cref="Read"/>, but never throws: an unreadable message would fail again at each
    /// redelivery.
    /// </summary>
    /// <param name="routingKey">The event name if no header contains one.</param>
    /// <param name="properties">The properties of the message.</param>
    /// <param name="body">The body, which the envelope owns from now on.</param>
    /// <param name="idIsComputed">True if the publisher gave no usable id, so that the id was computed.</param>
    public static Envelope ReadAny(string routingKey, IReadOnlyBasicProperties properties, byte[] body, out bool idIsComputed)
    {
        try
        {
            return Read(routingKey, properties, body, out idIsComputed);
        }
        catch (Exception exception)
        {
            return Unreadable(routingKey, body, $"The message cannot be read ({exception.GetType().Name}).", out idIsComputed);
        }
    }

    /// <summary>Reads a message. If it is not a valid event, the envelope has a defect and keeps the body.</summary>
    /// <param name="routingKey">The event name if no header contains one.</param>
    /// <param name="properties">The properties of the message.</param>
    /// <param name="body">The body, which the envelope owns from now on.</param>
    /// <param name="idIsComputed">True if the publisher gave no usable id, so that the id was computed.</param>
    public static Envelope Read(string routingKey, IReadOnlyBasicProperties properties, byte[] body, out bool idIsComputed)
    {
        var attributes = RabbitMqAttributes.Read(properties, routingKey);
        var defect = attributes.Defect;
        if (!attributes.TryGetVersion(out var version))
        {
            version = 1;
            defect ??= "The attribute 'eventversion' is not a number above zero.";
        }

        if (!attributes.TryGetTime(properties, out var time))
        {
            time = DateTimeOffset.UnixEpoch;
            defect ??= "The attribute 'time' is not a time.";
        }

        var contentType = string.IsNullOrEmpty(properties.ContentType) ? "application/json" : properties.ContentType;
        if (contentType.StartsWith("application/cloudevents", StringComparison.OrdinalIgnoreCase))
        {
            defect ??= "The message is in the structured mode of CloudEvents; only the binary mode with a plain body is read.";
        }
        else if (!IsPlain(properties.ContentEncoding))
        {
            defect ??= "The content encoding of the message is not plain UTF-8; a compressed or otherwise encoded body is not read.";
        }

        var id = string.IsNullOrEmpty(attributes.Id) ? UsableOrNull(properties.MessageId) : attributes.Id;
        idIsComputed = string.IsNullOrEmpty(id);
        if (idIsComputed)
        {
            // A message id that is not usable as text still distinguishes messages with the same content.
            var seed = string.IsNullOrEmpty(properties.MessageId) ? routingKey : $"{routingKey}\0{properties.MessageId}";
            id = CloudEventAttributes.IdFromContent(seed, body);
        }

        return new Envelope(
            new EnvelopeAttributes
            {
                Id = id!,
                Name = string.IsNullOrEmpty(attributes.Type) ? routingKey : attributes.Type,
                Version = version,
                Key = attributes.Key,
                Time = time,
                Headers = attributes.UserHeaders,
                CorrelationId = attributes.CorrelationId ?? UsableOrNull(properties.CorrelationId),
                CausationId = attributes.CausationId,
                IdIsDerived = attributes.IdIsDerived,
                TraceParent = attributes.TraceParent,
                TraceState = attributes.TraceState,
                Source = attributes.Source,
                ContentType = contentType,
                Defect = defect,
            },
            body);
    }

    /// <summary>Creates an envelope with only the body and the routing key of a message.</summary>
    public static Envelope Unreadable(string routingKey, byte[] body, string defect, out bool idIsComputed)
    {
        idIsComputed = true;
        return new Envelope(
            new EnvelopeAttributes { Id = CloudEventAttributes.IdFromContent(routingKey, body), Name = routingKey, Defect = defect },
            body);
    }

    /// <summary>Copies an envelope, and adds a defect that was found at its first delivery.</summary>
    public static Envelope WithDefect(Envelope envelope, string defect, long? fullBodyLength) => new(
        new EnvelopeAttributes
        {
            Id = envelope.Id,
            Name = envelope.Name,
            Version = envelope.Version,
            Key = envelope.Key,
            Time = envelope.Time,
            Headers = envelope.Headers,
            CorrelationId = envelope.CorrelationId,
            CausationId = envelope.CausationId,
            IdIsDerived = envelope.IdIsDerived,
            TraceParent = envelope.TraceParent,
            TraceState = envelope.TraceState,
            Source = envelope.Source,
            ContentType = envelope.ContentType,
            FullBodyLength = fullBodyLength,
            Defect = defect,
        },
        envelope.Body.ToArray());

    /// <summary>Gets the number of earlier deliveries of a message, as far as the queue knows it.</summary>
    /// <remarks>
    /// From RabbitMQ 4.3 on, the count excludes released deliveries; the result for a redelivery is at least 1.
    /// RabbitMQ 4.3 also writes a count of all deliveries, which is not used: on earlier versions its value comes from
    /// the publisher.
    /// </remarks>
    /// <param name="properties">The properties of the message.</param>
    /// <param name="redelivered">
    /// The broker's redelivered flag. If it is false, the count comes from the publisher: a broker writes the count
    /// from the second delivery on.
    /// </param>
    /// <param name="countsDeliveries">
    /// True if the queue counts deliveries (a quorum queue). Other queues do not change what the publisher wrote.
    /// </param>
    public static int EarlierDeliveries(IReadOnlyBasicProperties properties, bool redelivered, bool countsDeliveries)
    {
        if (!redelivered)
        {
            return 0;
        }

        if (!countsDeliveries || properties.Headers?.TryGetValue("x-delivery-count", out var value) != true)
        {
            return 1;
        }

        var count = value switch
        {
            long number => number,
            int number => number,
            _ => 1,
        };
        return (int)Math.Clamp(count, 1, int.MaxValue);
    }

    /// <summary>
    /// True if a text fits into an AMQP short string. The bytes of a short text are not counted: one UTF-16 code unit
    /// takes at most three bytes in UTF-8.
    /// </summary>
    public static bool IsShort(string text) => text.Length <= MaxShortBytes / 3 || Encoding.UTF8.GetByteCount(text) <= MaxShortBytes;

    /// <summary>
    /// True if a content encoding means unencoded UTF-8. Clients also write the character set there, in upper or lower
    /// case, and lists of several encodings.
    /// </summary>
    private static bool IsPlain(string? encoding)
    {
        foreach (var part in encoding.AsSpan().Split(','))
        {
            var name = encoding.AsSpan()[part].Trim();
            if (!name.IsEmpty && !IsPlainName(name))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsPlainName(ReadOnlySpan<char> name)
    {
        foreach (var plain in PlainEncodings)
        {
            if (name.Equals(plain, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Returns a property that other clients fill with any data, such as the bytes of a GUID; null if it is not text.
    /// </summary>
    private static string? UsableOrNull(string? text)
    {
        foreach (var c in text.AsSpan())
        {
            if (char.IsControl(c) || c is '\u2028' or '\u2029' or (>= '\uFDD0' and <= '\uFDEF') or >= '\uFFFD')
            {
                return null;
            }
        }

        return text;
    }
}
