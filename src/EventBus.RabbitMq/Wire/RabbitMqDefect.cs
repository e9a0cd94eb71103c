using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Creates the envelopes of messages that are not valid events: with the original body, and a defect.
/// </summary>
internal static class RabbitMqDefect
{
    /// <summary>Creates an envelope with only the body and the routing key of a message.</summary>
    public static Envelope Unreadable(string routingKey, byte[] body, string defect, out bool idIsComputed)
    {
        idIsComputed = true;
        return new Envelope(
            new EnvelopeAttributes { Id = CloudEventAttributes.IdFromContent(routingKey, body), Name = routingKey, Defect = defect },
            body);
    }

    /// <summary>Copies an envelope, and adds a defect that was found at its first delivery.</summary>
    public static Envelope AddTo(Envelope envelope, string defect, long? fullBodyLength) => new(
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
}
