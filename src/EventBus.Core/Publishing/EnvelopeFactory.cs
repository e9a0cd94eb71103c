using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Creates the envelopes of events. Rejects events with invalid attributes, and events that are too large or cannot be
/// serialized. Thread-safe.
/// </summary>
/// <remarks>
/// The size limits are the same on every backend. An event that stays in memory is serialized only if the upper bound
/// of its size does not prove that it is small, and not at all if its type has no JSON type information.
/// </remarks>
internal sealed class EnvelopeFactory(EventRegistry events, EventSizeLimits limits, BusServices services)
{
    // An upper bound up to 3 % above WarnBytes does not cause a serialization only to decide about the warning.
    private const double WarningTolerance = 1.0 / 32;

    private readonly EventIds ids = new(services.Random);

    /// <summary>
    /// True if every event is serialized. Its envelope must then be created, and may be rejected, even if no
    /// subscription receives it.
    /// </summary>
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
        Create(descriptor, @event, options, now, parent: null);

    /// <summary>Creates the envelope of an event that the application, a handler or a saga publishes.</summary>
    /// <param name="descriptor">The descriptor of the event.</param>
    /// <param name="event">The event.</param>
    /// <param name="options">The options; null for the defaults.</param>
    /// <param name="now">The current time in ticks.</param>
    /// <param name="parent">The values from the handler or the saga; null if the application publishes.</param>
    public Envelope Create(EventDescriptor descriptor, object @event, PublishOptions? options, long now, EventParent? parent)
    {
        var headers = options is null ? null : PublishValidator.Check(options);
        var key = options?.Key ?? KeyOf(descriptor, @event) ?? parent?.SagaId;
        if (key is not null)
        {
            PublishValidator.CheckKey(key);
        }

        var hasExtras = parent is not null
            || headers is not null
            || options is { EventId: not null } or { CorrelationId: not null } or { NotBefore: not null } or { Delay: not null };
        var extras = hasExtras
            ? new EnvelopeExtras
            {
                Id = options?.EventId,
                CorrelationId = options?.CorrelationId ?? parent?.CorrelationId,
                CausationId = parent?.CausationId,
                Headers = headers,
                NotBefore = options?.NotBefore ?? DueAfter(options?.Delay, now),
            }
            : null;
        var envelope = new Envelope(descriptor, @event, parent?.DerivedId ?? ids.Next(now), now, extras)
        {
            Key = key,
            TraceParent = BusDiagnostics.CurrentTraceParent(),
            FromHandler = parent is not null || services.Runner.Caller.IsHandler,
            IdIsDerived = parent is not null && options?.EventId is null,
        };

        // Events of sagas are stored as bytes in every store.
        CheckSize(envelope, descriptor, isSerialized: limits.SerializesAll || parent?.SagaId is not null);
        return envelope;
    }

    /// <summary>
    /// Returns the key by the function that was declared for the event type; null if there is none. This runs
    /// application code.
    /// </summary>
    /// <exception cref="PublishException">The function has thrown.</exception>
    public static string? KeyOf(EventDescriptor descriptor, object @event)
    {
        try
        {
            return descriptor.KeyOf?.Invoke(@event);
        }
        catch (Exception exception)
        {
            throw EnvelopeErrors.NoKey(descriptor, exception);
        }
    }

    /// <summary>Rejects an event that is too large or cannot be serialized.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="descriptor">The descriptor of its type.</param>
    /// <param name="isSerialized">
    /// True if the event will certainly be serialized. It is then serialized here, so that an error reaches the
    /// publisher.
    /// </param>
    private void CheckSize(Envelope envelope, EventDescriptor descriptor, bool isSerialized)
    {
        int length;
        try
        {
            if (!isSerialized && NeedsNoExactSize(envelope, descriptor))
            {
                return;
            }

            length = envelope.Body.Length;
        }
        catch (Exception exception)
        {
            throw EnvelopeErrors.NotSerialized(envelope, descriptor, exception);
        }

        if (length > limits.MaxBytes)
        {
            throw EnvelopeErrors.TooLarge(envelope, limits);
        }

        if (length > limits.WarnBytes && descriptor.FirstLarge())
        {
            services.Log.LargeEvent(envelope.Name, length, limits.WarnBytes, envelope.DescribeLargestMembers());
        }
    }

    /// <summary>
    /// Returns true if an event that stays in memory need not be serialized to be measured. Its members are code of the
    /// application, which may throw.
    /// </summary>
    private bool NeedsNoExactSize(Envelope envelope, EventDescriptor descriptor)
    {
        // Without type information the event cannot be measured. Such an event can only be published in memory.
        if (descriptor.Json is null)
        {
            return true;
        }

        // Once the warning was logged, only the maximum matters.
        var limit = descriptor.WarnedLarge
            ? limits.MaxBytes
            : (int)Math.Min(limits.WarnBytes * (1 + WarningTolerance), limits.MaxBytes);
        return descriptor.Size?.IsAtMost(envelope.Payload!, limit) == true;
    }

    private static DateTimeOffset? DueAfter(TimeSpan? delay, long now)
    {
        if (delay is null)
        {
            return null;
        }

        var maxDelay = DateTimeOffset.MaxValue.UtcTicks - now;
        return new DateTimeOffset(now + Math.Min(delay.Value.Ticks, maxDelay), TimeSpan.Zero);
    }
}
