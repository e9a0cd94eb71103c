using EventBus.Transports;

namespace EventBus;

/// <summary>Creates a copy of an event with only the first bytes of its body.</summary>
/// <remarks>The copy has an <see cref="Envelope.Defect"/>, so that no handler is called with it.</remarks>
internal static class TruncatedEnvelope
{
    /// <summary>Creates the copy.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="length">The number of bytes to keep.</param>
    /// <param name="note">The text of the defect, which is appended to an earlier defect.</param>
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
            Replay = envelope.Replay,
            FullBodyLength = envelope.FullBodyLength ?? envelope.BodyLength,
            Defect = envelope.Defect is { } defect ? $"{defect} {note}" : note,
        },
        envelope.Body[..length].ToArray())
    { FromHandler = envelope.FromHandler };
}
