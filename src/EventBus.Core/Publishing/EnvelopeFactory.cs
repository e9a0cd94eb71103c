using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Creates the envelopes of events. Rejects events that are invalid, cannot be serialized or are too large, on every
/// backend alike. Thread-safe.
/// </summary>
internal sealed class EnvelopeFactory(EventRegistry events, EventSizeLimits limits, string serviceName, BusServices services)
{
    // The upper bound of a size overestimates names and numbers, and the warning need not be exact.
    private const double Tolerance = 1.0 / 32;

    private readonly EventIds ids = new(services.Random);
    private readonly TimeProvider time = services.Time;

    /// <summary>True if every event is serialized, so that it must be created even if nothing receives it.</summary>
    public bool SerializesAll => limits.SerializesAll;

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

    /// <summary>Derives the id of an event that a saga publishes without setting an id.</summary>
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
        var headers = options is null ? null : PublishValidator.Check(options);
        var key = options?.Key ?? KeyOf(descriptor, @event) ?? inherited.Key;
        if (key is not null)
        {
            PublishValidator.CheckKey(key);
        }

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
            FromHandler = inherited.IsAny || services.Runner.Caller.IsHandler,
            IdIsDerived = inherited.IsAny && options?.EventId is null,
        };

        // Events of sagas are stored as bytes in every store.
        CheckSize(envelope, descriptor, isWritten: limits.SerializesAll || inherited.Key is not null);
        return envelope;
    }

    /// <summary>
    /// Rejects an event that is too large or cannot be serialized. In memory, the bytes are not needed: the upper bound
    /// proves most events small enough, and only the others are serialized to be measured.
    /// </summary>
    /// <param name="envelope">The event.</param>
    /// <param name="descriptor">The descriptor of its type.</param>
    /// <param name="isWritten">
    /// True if the event will certainly be serialized, so that an error must be found now.
    /// </param>
    private void CheckSize(Envelope envelope, EventDescriptor descriptor, bool isWritten)
    {
        int length;
        try
        {
            var enough = descriptor.WarnedLarge
                ? limits.MaxBytes
                : (int)Math.Min(limits.WarnBytes * (1 + Tolerance), limits.MaxBytes);
            if (!isWritten && (descriptor.Json is null || descriptor.Size?.UpperBound(envelope.Payload!) <= enough))
            {
                return;
            }

            length = envelope.Body.Length;
        }
        catch (EventBusException exception)
        {
            throw new PublishException(ExceptionText.MessageOf(exception), PublishFailure.Rejected, envelope.Id, exception);
        }
        catch (Exception exception)
        {
            throw new PublishException(
                $"The event '{envelope.Name}' of the type {descriptor.Type} cannot be written as JSON: "
                    + $"{ExceptionText.MessageOf(exception)}",
                PublishFailure.Rejected,
                envelope.Id,
                exception);
        }

        if (length > limits.MaxBytes)
        {
            throw new PublishException(
                $"The event '{envelope.Name}' has {length:N0} bytes as JSON; at most {limits.MaxBytes:N0} are allowed. Events carry "
                    + "ids, not whole objects: publish the id, and let handlers load what they need. "
                    + $"If it must be this large, raise {nameof(EventBusOptions)}.{nameof(EventBusOptions.MaxBodyBytes)}.",
                PublishFailure.Rejected,
                envelope.Id);
        }

        if (length > limits.WarnBytes && descriptor.FirstLarge())
        {
            services.Log.LargeEvent(envelope.Name, length, limits.WarnBytes);
        }
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
