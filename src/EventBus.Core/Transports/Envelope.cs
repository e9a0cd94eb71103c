using System.Collections.ObjectModel;
using System.Text.Json;

namespace EventBus.Transports;

/// <summary>
/// Represents an event in transit: its attributes, and the event object or its bytes. Converts one into the other when
/// needed, and keeps the result.
/// </summary>
/// <remarks>Thread-safe, and immutable for a transport.</remarks>
public sealed class Envelope
{
    // An event in memory costs an envelope of 104 bytes, and a DeliveryContext of 32 bytes for each subscription. To
    // keep that size, the fields extras and type each hold one of several types of objects.

    // The generated id of an event that has no other id. Its text is created when it is needed.
    private readonly Guid guid;
    private string? id;

    // The UTC time of publication.
    private readonly long ticks;

    // Null, the source as a string, or an EnvelopeExtras. Most received events have a source and no other extras.
    private readonly object? extras;

    // The EventDescriptor of the event's type, or the event's name as a string if the event was not read yet.
    private object type;

    // Null until the event is serialized.
    private byte[]? body;

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
        type = attributes.Name;
        Version = attributes.Version;
        Key = attributes.Key;
        ticks = attributes.Time.UtcTicks;
        TraceParent = attributes.TraceParent;
        IdIsDerived = attributes.IdIsDerived;
        extras = (object?)EnvelopeExtras.From(attributes) ?? attributes.Source;
    }

    internal Envelope(EventDescriptor descriptor, object payload, Guid guid, long ticks, EnvelopeExtras? extras = null)
    {
        type = descriptor;
        Payload = payload;
        this.guid = guid;
        this.ticks = ticks;
        this.extras = extras;
        id = extras?.Id;
        Version = descriptor.Version;
    }

    /// <summary>The event's id. It is the same for every subscription, retry and redelivery.</summary>
    public string Id => id ??= guid.ToString("D");

    /// <summary>The event's name (CloudEvents <c>type</c>), for instance <c>order.placed</c>.</summary>
    public string Name => type is EventDescriptor descriptor ? descriptor.Name : (string)type;

    /// <summary>The version in which the event was published, 1 or more.</summary>
    public int Version { get; }

    /// <summary>The event's key; null for none.</summary>
    public string? Key { get; internal init; }

    /// <summary>The UTC time at which the event was published, by the publisher's clock.</summary>
    public DateTimeOffset Time => new(ticks, TimeSpan.Zero);

    /// <summary>The user's headers. Never null.</summary>
    public IReadOnlyDictionary<string, string> Headers => Extras?.Headers ?? ReadOnlyDictionary<string, string>.Empty;

    /// <summary>The id that all events of one business process share.</summary>
    public string CorrelationId => Extras?.CorrelationId ?? Id;

    /// <summary>The id of the event whose handler published this event; null if no handler published it.</summary>
    public string? CausationId => Extras?.CausationId;

    /// <summary>
    /// The CloudEvents <c>source</c> of a received event. Null if the event was never serialized or its publisher gave
    /// no source.
    /// </summary>
    public string? Source => extras as string ?? Extras?.Source;

    /// <summary>The W3C trace context of the publisher (<c>traceparent</c>); null for none.</summary>
    public string? TraceParent { get; internal set; }

    /// <summary>The W3C <c>tracestate</c>; null for none.</summary>
    public string? TraceState => Extras?.TraceState;

    /// <summary>The media type of the body.</summary>
    public string ContentType => Extras?.ContentType ?? JsonContent.MediaType;

    /// <summary>The event as JSON (UTF-8): the bytes that arrived, or bytes that are serialized on demand.</summary>
    /// <exception cref="EventBusException">
    /// The event was never serialized, and there is no JSON type information for its type.
    /// </exception>
    public ReadOnlyMemory<byte> Body => body ?? Serialize();

    /// <summary>
    /// The length in bytes of the body before it was truncated for a dead letter; null for a complete body.
    /// </summary>
    public long? FullBodyLength => Extras?.FullBodyLength;

    /// <summary>The reason that a message could not be read as an event; null if there is no defect.</summary>
    public string? Defect => Extras?.Defect;

    /// <summary>
    /// The number of the replay that delivers the event again (<see cref="ISubscriptionManager.ReplayAsync"/>); 0 if it
    /// is not a part of a replay.
    /// </summary>
    public long Replay => Extras?.Replay ?? 0;

    /// <summary>
    /// True if a handler published the event, or the bus publishes it from a store. A transport that makes publishers
    /// wait for capacity admits such events to a bounded reserve, so that a handler does not wait for itself.
    /// </summary>
    public bool FromHandler { get; internal init; }

    /// <summary>
    /// True if the bus derived the id from the preceding event or saga. Events with the same derived id are the same
    /// event, whatever their bodies. Transports and stores keep this value with the event.
    /// </summary>
    public bool IdIsDerived { get; internal init; }

    /// <summary>The id, if it is a UUID that the bus generated; otherwise empty.</summary>
    internal Guid Uuid => Extras?.Id is null ? guid : Guid.Empty;

    /// <summary>The event object; null for a received event that was not read yet.</summary>
    internal object? Payload { get; private set; }

    /// <summary>The description of the event's type; null for a received event that was not read yet.</summary>
    internal EventDescriptor? Descriptor => type as EventDescriptor;

    /// <summary>The length of the body in bytes; -1 while it has not been serialized.</summary>
    internal int BodyLength => body?.Length ?? -1;

    /// <summary>The correlation id that differs from the event's own id; null for none.</summary>
    internal string? OtherCorrelationId => Extras?.CorrelationId;

    /// <summary>The earliest time at which a delayed event may be published; null if it is not delayed.</summary>
    internal DateTimeOffset? NotBefore => Extras?.NotBefore;

    private EnvelopeExtras? Extras => extras as EnvelopeExtras;

    /// <summary>Returns the event's name and id, without its content, for logs.</summary>
    public override string ToString() => $"{Name} {Id}";

    /// <summary>
    /// Names the largest members of the event with their sizes, for the error about an event that is too large for a
    /// backend. Contains no values, and only names that the event type declares: any other is <c>another member</c>. So
    /// are all if the type of the event is not known.
    /// </summary>
    /// <returns>
    /// A sentence that begins with a space; empty if the event is no valid JSON object or has no members.
    /// </returns>
    /// <exception cref="EventBusException">
    /// The event was never serialized, and there is no JSON type information for its type.
    /// </exception>
    public string DescribeLargestMembers() => LargestMembers.Describe(Body.Span, Descriptor?.Json);

    /// <summary>Creates the same event as a part of a replay. It shares the body.</summary>
    /// <param name="number">The number of the replay, above zero.</param>
    public Envelope AsReplay(long number)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(number);
        return new(
            new EnvelopeAttributes
            {
                Id = Id,
                Name = Name,
                Version = Version,
                Key = Key,
                Time = Time,
                Headers = Extras?.Headers,
                CorrelationId = OtherCorrelationId,
                CausationId = CausationId,
                IdIsDerived = IdIsDerived,
                TraceParent = TraceParent,
                TraceState = TraceState,
                Source = Source,
                ContentType = ContentType,
                FullBodyLength = FullBodyLength,
                NotBefore = NotBefore,
                Defect = Defect,
                Replay = number,
            },
            body ?? Serialize())
        { FromHandler = FromHandler };
    }

    /// <summary>Binds a received event to its type in this application, which has the same name and version.</summary>
    internal void Bind(EventDescriptor known, object value)
    {
        type = known;
        Payload = value;
    }

    private byte[] Serialize()
    {
        var json = Descriptor?.Json ?? throw new EventBusException(
            $"The event '{Name}' cannot be written as JSON: no context given to bus.UseJson(...) knows its type {Descriptor?.Type}, "
                + "and reflection-based JSON is off.");

        // Two subscriptions may serialize the event at the same time. Both get the same bytes, and one of the arrays is
        // kept.
        var serialized = JsonSerializer.SerializeToUtf8Bytes(Payload!, json);
        body = serialized;
        return serialized;
    }
}
