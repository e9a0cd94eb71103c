using EventBus.Transports;

namespace EventBus;

/// <summary>Creates a defective copy of an event with a truncated body, which cannot be handled.</summary>
internal static class TruncatedEnvelope
{
    /// <summary>Returns the copy.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="length">The number of bytes to keep.</param>
    /// <param name="note">The defect, appended to an earlier one.</param>
    public static Envelope Of(Envelope envelope, int length, string note) => new(
        new EnvelopeAttributes
        {
            Id = envelope.Id,
            Name = envelope.Name,
            Version = envelope.Version,
            Key = envelope.Key,
            Time = envelope.Time,
            Headers = envelope.Headers,
            CorrelationId = envelope.OtherCorrelationId,
            CausationId = envelope.CausationId,
            IdIsDerived = envelope.IdIsDerived,
            TraceParent = envelope.TraceParent,
            TraceState = envelope.TraceState,
            Source = envelope.Source,
            ContentType = envelope.ContentType,
            FullBodyLength = envelope.FullBodyLength ?? envelope.BodyLength,
            Defect = envelope.Defect is { } defect ? $"{defect} {note}" : note,
        },
        envelope.Body[..length].ToArray())
    { FromHandler = envelope.FromHandler };
}
