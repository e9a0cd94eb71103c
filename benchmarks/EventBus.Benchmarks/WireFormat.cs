using EventBus.Transports;

namespace EventBus.Benchmarks;

/// <summary>
/// Serializes and deserializes the body of one event type with the internal classes of the bus, without the steps
/// before and after.
/// </summary>
internal sealed class WireFormat
{
    private readonly EventDescriptor descriptor;
    private readonly EventReader reader;
    private readonly SubscriptionRuntime subscription;

    public WireFormat(Type type)
    {
        var options = new EventBusOptions();
        var json = new EventJson([], options.MaxDepth);
        descriptor = EventRegistry.Describe(new EventTypeRegistration(type), json, out var problem)
            ?? throw new InvalidOperationException(problem);
        reader = new EventReader(new EventRegistry([descriptor], [], json), options.MaxBodyBytes);

        // Reading uses only the event types of the subscription.
        subscription = new SubscriptionRuntime
        {
            EventTypes = new HashSet<Type> { type },
            HandlerTimeout = options.HandlerTimeout,
            Subscription = null!,
            FollowUps = null!,
            EffectPrefix = "",
            Attempts = null!,
            Scopes = null!,
            FailurePolicy = null!,
            Slots = null!,
        };
    }

    public ReadOnlyMemory<byte> Write(object @event) => new Envelope(descriptor, @event, Guid.Empty, 0).Body;

    public object Read(EnvelopeAttributes attributes, byte[] body)
    {
        var envelope = new Envelope(attributes, body);
        return reader.Read(new DeliveryContext(envelope, subscription)) is { } rejection
            ? throw new InvalidOperationException(rejection.Error)
            : envelope.Payload!;
    }
}
