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

    /// <summary>Gets the reason why RabbitMQ cannot carry an event; null if it can.</summary>
    public static string? FindProblem(Envelope envelope)
    {
        if (!AmqpShortString.Fits(envelope.Id))
        {
            return $"The event's id has {Encoding.UTF8.GetByteCount(envelope.Id)} bytes as UTF-8; RabbitMQ carries at most "
                + $"{AmqpShortString.MaxBytes}. Use a shorter one, or fewer characters that are not ASCII.";
        }

        if (!AmqpShortString.Fits(envelope.ContentType))
        {
            return $"The event's content type is longer than the {AmqpShortString.MaxBytes} bytes that RabbitMQ carries.";
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
            MessageId = AmqpShortString.Fits(envelope.Id) ? envelope.Id : null,
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
            var defect = $"The message cannot be read ({exception.GetType().Name}).";
            return RabbitMqDefect.Unreadable(routingKey, body, defect, out idIsComputed);
        }
    }

    /// <summary>Reads a message. If it is not a valid event, the envelope has a defect and keeps the body.</summary>
    /// <param name="routingKey">The event name if no header contains one.</param>
    /// <param name="properties">The properties of the message.</param>
    /// <param name="body">The body, which the envelope owns from now on.</param>
    /// <param name="idIsComputed">True if the publisher gave no usable id, so that the id was computed.</param>
    public static Envelope Read(string routingKey, IReadOnlyBasicProperties properties, byte[] body, out bool idIsComputed)
    {
        var attributes = RabbitMqHeaders.Read(properties, routingKey, out var userHeaders);
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
        else if (!RabbitMqContentEncoding.IsPlain(properties.ContentEncoding))
        {
            defect ??= "The content encoding of the message is not plain UTF-8; a compressed or otherwise encoded body is not read.";
        }

        var id = string.IsNullOrEmpty(attributes.Id) ? RabbitMqValue.UsableOrNull(properties.MessageId) : attributes.Id;
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
                Headers = userHeaders,
                CorrelationId = attributes.CorrelationId ?? RabbitMqValue.UsableOrNull(properties.CorrelationId),
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
}
