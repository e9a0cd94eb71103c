using System.Text.Json;

namespace EventBus.Transports;

/// <summary>
/// Represents an event in transit: its attributes, and the event object or its bytes. Converts one into the other at
/// most once.
/// </summary>
/// <remarks>
/// Thread-safe, and immutable for a transport. An envelope is also the context of the first subscription that handles
/// it, so that an event in memory costs one object. A transport reads the attributes and the body, and must not use the
/// members for handlers.
/// </remarks>
public sealed class Envelope : EventContext
{
    internal const string JsonContentType = "application/json";

    private readonly Guid guid;
    private readonly long ticks;

    // An EnvelopeExtras, or only the origin as a string. Most received events have only an origin; storing the string
    // directly saves one object per event.
    private readonly object? extras;
    private string? id;
    private byte[]? body;
    private object? payload;
    private EventDescriptor? descriptor;

    /// <summary>
    /// Creates an envelope of a received event. Attributes beyond their limits are truncated and make the envelope
    /// defective (see <see cref="Defect"/> and <see cref="EnvelopeAttributes"/>).
    /// </summary>
    /// <param name="attributes">The attributes. They are copied.</param>
    /// <param name="body">The body. The envelope takes ownership: copy a buffer that a client reuses.</param>
    public Envelope(in EnvelopeAttributes attributes, byte[] body)
        : this(body, EnvelopeLimits.Fit(attributes))
    {
    }

    private Envelope(byte[] body, in EnvelopeAttributes attributes)
    {
        ArgumentNullException.ThrowIfNull(body);
        this.body = body;
        id = attributes.Id;
        Name = attributes.Name;
        Version = attributes.Version;
        KeyText = attributes.Key;
        ticks = attributes.Time.UtcTicks;
        UserHeaders = attributes.Headers;
        TraceParent = attributes.TraceParent;
        IdIsDerived = attributes.IdIsDerived;
        extras = (object?)EnvelopeExtras.From(attributes) ?? attributes.Origin;
    }

    internal Envelope(EventDescriptor descriptor, object payload, Guid guid, long ticks, EnvelopeExtras? extras = null)
    {
        this.descriptor = descriptor;
        this.payload = payload;
        this.guid = guid;
        this.ticks = ticks;
        this.extras = extras;
        id = extras?.Id;
        Name = descriptor.Name;
        Version = descriptor.Version;
    }

    /// <summary>The W3C trace context of the publisher (<c>traceparent</c>); null for none.</summary>
    public string? TraceParent { get; internal set; }

    /// <summary>The W3C <c>tracestate</c>; null for none.</summary>
    public string? TraceState => Extras?.TraceState;

    /// <summary>The media type of the body.</summary>
    public string ContentType => Extras?.ContentType ?? JsonContentType;

    /// <summary>The reason that a message could not be read as an event; null if there is no defect.</summary>
    public string? Defect => Extras?.Defect;

    /// <summary>
    /// The length in bytes of the body before it was truncated for a dead letter; null for a complete body.
    /// </summary>
    public long? FullBodyLength => Extras?.FullBodyLength;

    /// <summary>
    /// True if a handler published the event. A transport that makes publishers wait for capacity admits such events to
    /// a bounded reserve, so that a handler does not wait for itself.
    /// </summary>
    public bool FromHandler { get; internal init; }

    /// <summary>
    /// True if the bus derived the id from the preceding event or saga. Events with the same derived id are the same
    /// event, whatever their bodies. Transports and stores keep this value with the event.
    /// </summary>
    public bool IdIsDerived { get; internal init; }

    internal string Id => id ??= guid.ToString("D");

    /// <summary>The id, if it is a UUID that the bus generated; otherwise empty.</summary>
    internal Guid Uuid => Extras?.Id is null ? guid : Guid.Empty;

    internal string Name { get; }

    internal int Version { get; }

    internal string? KeyText { get; init; }

    internal DateTimeOffset PublishedAt => new(ticks, TimeSpan.Zero);

    internal IReadOnlyDictionary<string, string>? UserHeaders { get; init; }

    internal EnvelopeExtras? Extras => extras as EnvelopeExtras;

    internal string? OriginText => extras as string ?? Extras?.Origin;

    internal object? Payload => payload;

    internal EventDescriptor? Descriptor => descriptor;

    private protected override Envelope Source => this;

    /// <summary>Returns the event's name and id, without its content, for logs.</summary>
    public override string ToString() => $"{Name} {Id}";

    /// <summary>The length of the body in bytes; -1 while it has not been serialized.</summary>
    internal int BodyLength => body?.Length ?? -1;

    internal ReadOnlyMemory<byte> GetBody()
    {
        if (body is { } bytes)
        {
            return bytes;
        }

        if (descriptor?.Json is not { } json)
        {
            throw new EventBusException($"The event '{Name}' cannot be written as JSON: no context given to bus.UseJson(...) knows its type {descriptor?.Type}, and reflection-based JSON is off.");
        }

        // Two subscriptions may get here concurrently. Both write the same bytes, and one of the arrays is kept.
        return body = JsonSerializer.SerializeToUtf8Bytes(payload!, json);
    }

    /// <summary>
    /// Returns a defective copy of the event with a truncated body, which cannot be handled as a complete event.
    /// </summary>
    internal Envelope CutBody(int length, string note) => new(
        new EnvelopeAttributes
        {
            Id = Id,
            Name = Name,
            Version = Version,
            Key = KeyText,
            Time = PublishedAt,
            Headers = UserHeaders,
            CorrelationId = Extras?.CorrelationId,
            CausationId = Extras?.CausationId,
            IdIsDerived = IdIsDerived,
            TraceParent = TraceParent,
            TraceState = TraceState,
            Origin = OriginText,
            ContentType = ContentType,
            FullBodyLength = FullBodyLength ?? BodyLength,
            Defect = Defect is { } defect ? $"{defect} {note}" : note,
        },
        GetBody()[..length].ToArray())
    { FromHandler = FromHandler };

    /// <summary>Binds a received event to its type in this application.</summary>
    internal void Bind(EventDescriptor known, object value)
    {
        descriptor = known;
        payload = value;
    }
}
