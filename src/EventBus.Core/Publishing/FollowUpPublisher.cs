using EventBus.Transports;

namespace EventBus;

/// <summary>Publishes the events that handlers publish through their context. Thread-safe.</summary>
internal sealed class FollowUpPublisher(EnvelopeFactory envelopes, BatchSender batches)
{
    /// <summary>Creates the envelope of an event. Its id is the same whenever the handler runs again.</summary>
    public Envelope Create(object @event, PublishOptions? options, Envelope parent, string subscription, int ordinal) =>
        envelopes.CreateFollowUp(@event, options, parent, subscription, ordinal);

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
