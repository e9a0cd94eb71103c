using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Copies an event as a broker or a durable store does: the copy has the attributes and the bytes, and the event is
/// read from them again.
/// </summary>
internal static class EnvelopeCopy
{
    /// <summary>Returns a copy that was not read yet.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="source">The source of an event that has none; null for none.</param>
    public static Envelope Of(Envelope envelope, string? source = null) => new(
        new EnvelopeAttributes
        {
            Id = envelope.Id,
            Name = envelope.Name,
            Version = envelope.Version,
            Time = envelope.Time,
            Key = envelope.Key,
            CorrelationId = envelope.CorrelationId == envelope.Id ? null : envelope.CorrelationId,
            CausationId = envelope.CausationId,
            IdIsDerived = envelope.IdIsDerived,
            TraceParent = envelope.TraceParent,
            TraceState = envelope.TraceState,
            Source = envelope.Source ?? source,
            ContentType = envelope.ContentType,
            Headers = envelope.Headers,
            FullBodyLength = envelope.FullBodyLength,
            Defect = envelope.Defect,
        },
        envelope.Body.ToArray());
}
