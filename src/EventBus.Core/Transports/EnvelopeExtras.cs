namespace EventBus.Transports;

/// <summary>Holds the attributes that most events do not have; null for those that this event does not have.</summary>
internal sealed class EnvelopeExtras
{
    /// <summary>The id that the publisher set or the bus derived. Not used for received events.</summary>
    public string? Id { get; init; }

    public string? CorrelationId { get; init; }

    public string? CausationId { get; init; }

    public string? Source { get; init; }

    /// <summary>The user's headers.</summary>
    public IReadOnlyDictionary<string, string>? Headers { get; init; }

    /// <summary>The media type of the body, if it is not that of JSON.</summary>
    public string? ContentType { get; init; }

    public string? TraceState { get; init; }

    public string? Defect { get; init; }

    public DateTimeOffset? NotBefore { get; init; }

    public long? FullBodyLength { get; init; }

    /// <summary>The number of the replay; 0 for none.</summary>
    public long Replay { get; init; }

    /// <summary>Creates the extras of the given attributes.</summary>
    /// <returns>Null if there are no attributes other than the source.</returns>
    public static EnvelopeExtras? From(in EnvelopeAttributes attributes)
    {
        var contentType = attributes.ContentType == JsonContent.MediaType ? null : attributes.ContentType;
        var hasExtras = attributes.CorrelationId is not null
            || attributes.CausationId is not null
            || contentType is not null
            || attributes.TraceState is not null
            || attributes.Defect is not null
            || attributes.NotBefore is not null
            || attributes.FullBodyLength is not null
            || attributes.Replay != 0
            || attributes.Headers is { Count: > 0 };
        if (!hasExtras)
        {
            return null;
        }

        return new EnvelopeExtras
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
            Replay = attributes.Replay,
        };
    }
}
