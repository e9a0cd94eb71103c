using EventBus.Transports;

namespace EventBus;

/// <summary>Creates the envelopes of the events that sagas publish. Thread-safe.</summary>
internal sealed class SagaEnvelopes(EnvelopeFactory envelopes, string serviceName, BusServices services)
{
    /// <summary>Creates the envelope of an event that a saga publishes.</summary>
    /// <param name="event">The event.</param>
    /// <param name="options">The options; null for the defaults.</param>
    /// <param name="sagaId">
    /// The id of the saga. It becomes the correlation id, and the key if the event has no other key.
    /// </param>
    /// <param name="origin">The part of the saga that publishes the event.</param>
    /// <param name="ordinal">The ordinal of the event within that part.</param>
    public Envelope Create(object @event, PublishOptions? options, string sagaId, string origin, int ordinal)
    {
        try
        {
            return CreateCore(@event, options, sagaId, origin, ordinal);
        }
        catch (PublishException exception)
        {
            services.Log.FailedPublish(EventNameRules.NameOf(@event.GetType()), exception);
            throw;
        }
    }

    /// <summary>Derives the id of an event for which the saga sets no id.</summary>
    public Guid IdOf(string sagaId, string origin, int ordinal) => EventIds.Derive(serviceName, sagaId, origin, ordinal);

    private Envelope CreateCore(object @event, PublishOptions? options, string sagaId, string origin, int ordinal)
    {
        if (options?.CorrelationId is not null)
        {
            throw new PublishException(
                "Events that a saga publishes have the saga's id as correlation id, so that replies find it. Leave "
                    + "PublishOptions.CorrelationId out.",
                PublishFailure.Rejected,
                null);
        }

        return envelopes.Create(
            envelopes.DescriptorOf(@event),
            @event,
            options,
            services.Time.GetUtcNow().UtcTicks,
            new EventParent(IdOf(sagaId, origin, ordinal), CorrelationId: sagaId, CausationId: null, sagaId));
    }
}
