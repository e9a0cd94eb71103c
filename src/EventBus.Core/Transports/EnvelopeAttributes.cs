namespace EventBus.Transports;

/// <summary>The attributes of an event that arrived from a wire, in the terms of CloudEvents 1.0.</summary>
/// <remarks>
/// <para>Lives no longer than it takes to make an envelope of it, hence no object.</para>
/// <para>No text here may hold a control character, a line separator or half a surrogate pair, apart from headers. What breaks this or a bound below becomes a dead letter that names the attribute and its length.</para>
/// </remarks>
public readonly struct EnvelopeAttributes
{
    /// <summary>Attributes with the defaults; the id and the name are to be given.</summary>
    public EnvelopeAttributes()
    {
    }

    /// <summary>The event's id, 1 to 1,024 characters.</summary>
    public required string Id { get; init; }

    /// <summary>The event's name: the CloudEvents <c>type</c>. At most 200 characters.</summary>
    public required string Name { get; init; }

    /// <summary>The version of the event's shape. Default 1.</summary>
    public int Version { get; init; } = 1;

    /// <summary>The event's key; null for none. At most 1,024 characters.</summary>
    public string? Key { get; init; }

    /// <summary>When it was published. Default: the Unix epoch, for a publisher that did not say.</summary>
    public DateTimeOffset Time { get; init; } = DateTimeOffset.UnixEpoch;

    /// <summary>The user's headers, without those that carry attributes; null for none. At most 64, and 65,536 bytes of names and values together, as UTF-8.</summary>
    public IReadOnlyDictionary<string, string>? Headers { get; init; }

    /// <summary>The correlation id; null for the event's own id. At most 1,024 characters.</summary>
    public string? CorrelationId { get; init; }

    /// <summary>The id of the event whose handler published this one; null for none. At most 1,024 characters.</summary>
    public string? CausationId { get; init; }

    /// <summary>The bus derived the id: an event with the same id is the same event, whatever its body. Default false.</summary>
    public bool IdIsDerived { get; init; }

    /// <summary>The W3C trace context of the publisher (<c>traceparent</c>, 55 characters); null for none. What is none is left out.</summary>
    public string? TraceParent { get; init; }

    /// <summary>The W3C <c>tracestate</c>; null for none. At most 512 characters.</summary>
    public string? TraceState { get; init; }

    /// <summary>Where the event comes from: the CloudEvents <c>source</c>; null when the publisher did not say. At most 1,024 characters.</summary>
    public string? Origin { get; init; }

    /// <summary>The media type of the body. Default <c>application/json</c>. At most 255 characters.</summary>
    public string ContentType { get; init; } = Envelope.JsonContentType;

    /// <summary>The length in bytes that the body had before a dead letter cut it; null for a whole body. Only stores write and read it.</summary>
    public long? FullBodyLength { get; init; }

    /// <summary>When a delayed event may leave; only stores write and read it.</summary>
    internal DateTimeOffset? NotBefore { get; init; }

    /// <summary>What is wrong with a message that could not be read as an event. It goes to the dead letters at once, with its raw bytes. Null when all is well.</summary>
    public string? Defect { get; init; }
}
