using EventBus.Transports;

namespace EventBus;

/// <summary>Publishes the events that handlers publish through their context. Thread-safe.</summary>
internal sealed class FollowUpPublisher(
    EnvelopeFactory envelopes,
    BatchSender batches,
    string serviceName,
    BusServices services)
{
    /// <summary>Creates the envelope of an event. Its id is the same whenever the handler runs again.</summary>
    /// <param name="event">The event.</param>
    /// <param name="options">The options; null for the defaults.</param>
    /// <param name="parent">The event being handled.</param>
    /// <param name="subscription">The subscription of the handler.</param>
    /// <param name="ordinal">The ordinal of the event among those that the handler publishes.</param>
    public Envelope Create(object @event, PublishOptions? options, Envelope parent, string subscription, int ordinal)
    {
        try
        {
            return envelopes.Create(
                envelopes.DescriptorOf(@event),
                @event,
                options,
                services.Time.GetUtcNow().UtcTicks,
                new EventParent(
                    EventIds.Derive(serviceName, parent.Id, subscription, ordinal),
                    parent.CorrelationId,
                    CausationId: parent.Id,
                    SagaId: null));
        }
        catch (PublishException exception)
        {
            Logged(exception, @event);
            throw;
        }
    }

    /// <summary>Logs that a handler cannot publish an event. Returns the exception.</summary>
    public PublishException Logged(PublishException exception, object @event)
    {
        services.Log.FailedPublish(EventNameRules.NameOf(@event.GetType()), exception);
        return exception;
    }

    /// <summary>Sends the events that a handler published, after it has succeeded.</summary>
    /// <exception cref="PublishException">
    /// At least one event was not accepted; this is the error of the first.
    /// </exception>
    public async Task SendAsync(IReadOnlyList<Envelope> outbox)
    {
        var errors = await batches.TrySendAsync(outbox);
        var first = errors.FirstOrDefault(error => error is not null);
        if (first is not null)
        {
            throw first;
        }
    }
}
