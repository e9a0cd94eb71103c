using EventBus.Transports;

namespace EventBus;

/// <summary>Creates the envelopes of events, and checks them before they are sent. Thread-safe.</summary>
internal sealed class EnvelopeFactory(EventRegistry events, PublishValidator validator, string serviceName, BusServices services)
{
    private readonly EventIds ids = new(services.Random);
    private readonly TimeProvider time = services.Time;

    /// <summary>True if every event is serialized, so that it must be created even if nothing receives it.</summary>
    public bool SerializesAll => validator.SerializesAll;

    /// <summary>Returns the descriptor of an event that the application publishes.</summary>
    public EventDescriptor DescriptorOf(object @event) => events.For(@event.GetType());

    /// <summary>Returns the name of an event type.</summary>
    public string NameOf<TEvent>() => events.For(typeof(TEvent)).Name;

    /// <summary>Creates the envelope of an event that the application publishes.</summary>
    /// <param name="descriptor">The descriptor of the event.</param>
    /// <param name="event">The event.</param>
    /// <param name="options">The options; null for the defaults.</param>
    /// <param name="now">The current time in ticks.</param>
    public Envelope Create(EventDescriptor descriptor, object @event, PublishOptions? options, long now) =>
        Create(descriptor, @event, options, now, Inherited.None);

    /// <summary>Creates the envelope of an event that a handler publishes through its context.</summary>
    public Envelope CreateFollowUp(object @event, PublishOptions? options, Envelope parent, string subscription, int ordinal) =>
        Create(
            DescriptorOf(@event),
            @event,
            options,
            time.GetUtcNow().UtcTicks,
            new Inherited(EventIds.Derive(serviceName, parent.Id, subscription, ordinal), parent.CorrelationId, parent.Id));

    /// <summary>Creates the envelope of an event that a saga publishes.</summary>
    /// <param name="event">The event.</param>
    /// <param name="options">The options; null for the defaults.</param>
    /// <param name="sagaId">
    /// The id of the saga. It becomes the correlation id, and the key if the event has no other key.
    /// </param>
    /// <param name="origin">The part of the saga that publishes the event.</param>
    /// <param name="ordinal">The ordinal of the event within that part.</param>
    public Envelope CreateForSaga(object @event, PublishOptions? options, string sagaId, string origin, int ordinal) =>
        options is { CorrelationId: not null }
            ? throw new PublishException(
                "Events that a saga publishes have the saga's id as correlation id, so that replies find it. Leave "
                    + "PublishOptions.CorrelationId out.",
                PublishFailure.Rejected,
                null)
            : Create(
                DescriptorOf(@event),
                @event,
                options,
                time.GetUtcNow().UtcTicks,
                new Inherited(IdForSaga(sagaId, origin, ordinal), sagaId, null, sagaId));

    /// <summary>Derives the id of an event that a saga publishes without an id of its own.</summary>
    public Guid IdForSaga(string sagaId, string origin, int ordinal) => EventIds.Derive(serviceName, sagaId, origin, ordinal);

    /// <summary>
    /// Returns the key by the function that was declared for the event type. This runs application code.
    /// </summary>
    public static string? KeyOf(EventDescriptor descriptor, object @event)
    {
        try
        {
            return descriptor.KeyOf?.Invoke(@event);
        }
        catch (Exception exception)
        {
            throw new PublishException(
                $"The event '{descriptor.Name}' was not published: the function given to KeyedBy for {descriptor.Type} threw "
                    + $"{ExceptionText.Of(exception)}",
                PublishFailure.Rejected,
                null,
                exception);
        }
    }

    private Envelope Create(EventDescriptor descriptor, object @event, PublishOptions? options, long now, Inherited inherited)
    {
        var headers = validator.Check(options);
        var key = options?.Key ?? KeyOf(descriptor, @event) ?? inherited.Key;
        validator.CheckKey(key);
        var extras = options is { EventId: not null } or { CorrelationId: not null } or { NotBefore: not null } or { Delay: not null }
            || headers is not null
            || inherited.IsAny
            ? new EnvelopeExtras
            {
                Id = options?.EventId,
                CorrelationId = options?.CorrelationId ?? inherited.CorrelationId,
                CausationId = inherited.CausationId,
                Headers = headers,
                NotBefore = options?.NotBefore ?? DueAfter(options?.Delay, now),
            }
            : null;
        var envelope = new Envelope(descriptor, @event, inherited.IsAny ? inherited.Id : ids.Next(now), now, extras)
        {
            Key = key,
            TraceParent = BusDiagnostics.CurrentTraceParent(),
            FromHandler = inherited.IsAny || services.Runner.RunsCaller,
            IdIsDerived = inherited.IsAny && options?.EventId is null,
        };

        // Events of sagas are stored as bytes in every store.
        validator.CheckSize(envelope, descriptor, written: inherited.Key is not null);
        return envelope;
    }

    private static DateTimeOffset? DueAfter(TimeSpan? delay, long now) =>
        delay is { } wait ? new DateTimeOffset(Math.Min(wait.Ticks, DateTimeOffset.MaxValue.UtcTicks - now) + now, TimeSpan.Zero) : null;

    /// <summary>
    /// Contains the values that an event inherits from the event being handled, or from the saga that publishes it.
    /// </summary>
    private readonly record struct Inherited(Guid Id, string CorrelationId, string? CausationId, string? Key = null)
    {
        public static Inherited None => default;

        public bool IsAny => CorrelationId is not null;
    }
}
