using System.Text.Json;

namespace EventBus.Transports;

/// <summary>An event on its way: its attributes, and the event object or its bytes. Turns one into the other at most once.</summary>
/// <remarks>
/// Thread-safe, and immutable for a transport. It is also the context of the first subscription that handles it, so that an event in memory costs one object:
/// a transport reads the attributes and the body, and leaves alone the members that are meant for handlers.
/// </remarks>
public sealed class Envelope : EventContext
{
    internal const string JsonContentType = "application/json";

    private readonly Guid guid;
    private readonly long ticks;

    // What most events do not have; or the origin alone, which is all of it that most events from a wire have, and their number makes an object for each dear.
    private readonly object? extras;
    private string? id;
    private byte[]? body;
    private object? payload;
    private EventDescriptor? descriptor;

    /// <summary>Makes an envelope of what arrived from a wire. Attributes beyond their bounds are cut, and make the envelope defective (<see cref="Defect"/>): see <see cref="EnvelopeAttributes"/>.</summary>
    /// <param name="attributes">The attributes; copied.</param>
    /// <param name="body">The body. Owned by the envelope from now on: copy what a client only lends.</param>
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

    /// <summary>What is wrong with a message that could not be read as an event; null when all is well.</summary>
    public string? Defect => Extras?.Defect;

    /// <summary>The length in bytes that the body had before a dead letter cut it; null for a whole body.</summary>
    public long? FullBodyLength => Extras?.FullBodyLength;

    /// <summary>The event was published by a handler. A transport that makes publishers wait lets these pass by a bounded reserve, so that no handler waits for itself.</summary>
    public bool FromHandler { get; internal init; }

    /// <summary>The bus derived the id from the event or the saga that it follows from: an event with the same id is the same event, whatever its body. A transport and a store carry this with the event.</summary>
    public bool IdIsDerived { get; internal init; }

    internal string Id => id ??= guid.ToString("D");

    /// <summary>The id, where it is a UUID that the bus made; empty elsewhere.</summary>
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

    /// <summary>Names the event without its content, for logs.</summary>
    public override string ToString() => $"{Name} {Id}";

    /// <summary>The length of the body in bytes; -1 while it has not been written.</summary>
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

        // Two subscriptions may get here at once: both write the same bytes, and one array is kept.
        return body = JsonSerializer.SerializeToUtf8Bytes(payload!, json);
    }

    /// <summary>The same event with the beginning of its body. It is defective: what is left must never be handled as if it were the whole.</summary>
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

    /// <summary>Binds what came from a wire to the type that the application knows it by.</summary>
    internal void Bind(EventDescriptor known, object value)
    {
        descriptor = known;
        payload = value;
    }
}
