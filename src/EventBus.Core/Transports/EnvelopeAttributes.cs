namespace EventBus.Transports;

/// <summary>The attributes of a received event, in the terms of CloudEvents 1.0.</summary>
/// <remarks>
/// <para>A struct, because it is needed only until the envelope is created.</para>
/// <para>
/// Except in headers, no text may contain a control character, a line separator or an unpaired surrogate. An event that
/// violates this rule or a limit below becomes a dead letter that names the attribute and its length.
/// </para>
/// </remarks>
public readonly struct EnvelopeAttributes
{
    /// <summary>Creates attributes with default values, except for the required id and name.</summary>
    public EnvelopeAttributes()
    {
    }

    /// <summary>The event's id, 1 to 1,024 characters.</summary>
    public required string Id { get; init; }

    /// <summary>The event's name (CloudEvents <c>type</c>). At most 200 characters.</summary>
    public required string Name { get; init; }

    /// <summary>The version of the event's schema. Default 1.</summary>
    public int Version { get; init; } = 1;

    /// <summary>The event's key; null for none. At most 1,024 characters.</summary>
    public string? Key { get; init; }

    /// <summary>
    /// The time at which the event was published. Default: the Unix epoch, for a publisher that sent no time.
    /// </summary>
    public DateTimeOffset Time { get; init; } = DateTimeOffset.UnixEpoch;

    /// <summary>
    /// The user's headers, without headers that carry attributes; null for none. At most 64 headers, and 65,536 bytes
    /// of names and values in total, as UTF-8.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Headers { get; init; }

    /// <summary>The correlation id; null for the event's own id. At most 1,024 characters.</summary>
    public string? CorrelationId { get; init; }

    /// <summary>
    /// The id of the event whose handler published this event; null for none. At most 1,024 characters.
    /// </summary>
    public string? CausationId { get; init; }

    /// <summary>
    /// True if the bus derived the id: events with the same id are then the same event, whatever their bodies. Default
    /// false.
    /// </summary>
    public bool IdIsDerived { get; init; }

    /// <summary>
    /// The W3C trace context of the publisher (<c>traceparent</c>, 55 characters); null for none. An invalid value is
    /// ignored.
    /// </summary>
    public string? TraceParent { get; init; }

    /// <summary>The W3C <c>tracestate</c>; null for none. At most 512 characters.</summary>
    public string? TraceState { get; init; }

    /// <summary>The CloudEvents <c>source</c>; null if the publisher sent none. At most 1,024 characters.</summary>
    public string? Source { get; init; }

    /// <summary>The media type of the body. Default <c>application/json</c>. At most 255 characters.</summary>
    public string ContentType { get; init; } = JsonContent.MediaType;

    /// <summary>
    /// The length in bytes of the body before it was truncated for a dead letter; null for a complete body. Only stores
    /// write and read it.
    /// </summary>
    public long? FullBodyLength { get; init; }

    /// <summary>The earliest time at which a delayed event may be published. Only stores write and read it.</summary>
    internal DateTimeOffset? NotBefore { get; init; }

    /// <summary>The number of the replay that delivers the event; 0 for none. Only stores write and read it.</summary>
    internal long Replay { get; init; }

    /// <summary>
    /// The reason that a message could not be read as an event; null for none. A defective message becomes a dead
    /// letter at once, with its raw bytes.
    /// </summary>
    public string? Defect { get; init; }
}
