namespace EventBus.Transports;

/// <summary>Holds the attributes that most events do not have.</summary>
internal sealed class EnvelopeExtras
{
    public string? Id { get; init; }

    public string? CorrelationId { get; init; }

    public string? CausationId { get; init; }

    public string? Source { get; init; }

    /// <summary>The user's headers; null for none.</summary>
    public IReadOnlyDictionary<string, string>? Headers { get; init; }

    public string? ContentType { get; init; }

    public string? TraceState { get; init; }

    public string? Defect { get; init; }

    public DateTimeOffset? NotBefore { get; init; }

    public long? FullBodyLength { get; init; }

    /// <summary>Creates the extras of the given attributes.</summary>
    /// <returns>Null if there are no attributes other than the source.</returns>
    public static EnvelopeExtras? From(in EnvelopeAttributes attributes)
    {
        var contentType = attributes.ContentType == JsonContent.MediaType ? null : attributes.ContentType;
        return (attributes.CorrelationId ?? attributes.CausationId ?? contentType ?? attributes.TraceState ?? attributes.Defect) is null
            && attributes.NotBefore is null && attributes.FullBodyLength is null && attributes.Headers is not { Count: > 0 }
            ? null
            : new EnvelopeExtras
            {
                CorrelationId = attributes.CorrelationId,
                CausationId = attributes.CausationId,
                Source = attributes.Source,
                Headers = attributes.Headers,
                ContentType = contentType,
                TraceState = attributes.TraceState,
                Defect = attributes.Defect,
                NotBefore = attributes.NotBefore,
                FullBodyLength = attributes.FullBodyLength,
            };
    }
}
