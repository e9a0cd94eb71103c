namespace EventBus.Transports;

/// <summary>Holds the attributes that most events do not have.</summary>
internal sealed class EnvelopeExtras
{
    public string? Id { get; init; }

    public string? CorrelationId { get; init; }

    public string? CausationId { get; init; }

    public string? Origin { get; init; }

    public string? ContentType { get; init; }

    public string? TraceState { get; init; }

    public string? Defect { get; init; }

    public DateTimeOffset? NotBefore { get; init; }

    public long? FullBodyLength { get; init; }

    /// <summary>Creates the extras of the given attributes.</summary>
    /// <returns>Null if there are no attributes other than the origin.</returns>
    public static EnvelopeExtras? From(in EnvelopeAttributes attributes)
    {
        var contentType = attributes.ContentType == Envelope.JsonContentType ? null : attributes.ContentType;
        return (attributes.CorrelationId ?? attributes.CausationId ?? contentType ?? attributes.TraceState ?? attributes.Defect) is null && attributes.NotBefore is null
            ? null
            : new EnvelopeExtras
            {
                CorrelationId = attributes.CorrelationId,
                CausationId = attributes.CausationId,
                Origin = attributes.Origin,
                ContentType = contentType,
                TraceState = attributes.TraceState,
                Defect = attributes.Defect,
                NotBefore = attributes.NotBefore,
                FullBodyLength = attributes.FullBodyLength,
            };
    }
}
