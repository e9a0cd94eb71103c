using EventBus.Transports;

namespace EventBus;

/// <summary>Turns the outcome of a publish into the exception that its caller gets.</summary>
internal sealed class PublishErrors(EventRegistry events, TransportFeatures features, BusServices services)
{
    /// <summary>Returns the exception for the outcome of an event; null if the event was accepted.</summary>
    public PublishException? Of(PublishOutcome outcome, Envelope envelope) => outcome.Status switch
    {
        PublishStatus.Accepted => null,
        PublishStatus.Unrouted => Unrouted(DescriptorOf(envelope), envelope.Id),
        PublishStatus.Rejected => new PublishException(
            $"The event '{envelope.Name}' {envelope.Id} cannot be published as it is: {TextOf(outcome.Error)}",
            PublishFailure.Rejected,
            envelope.Id,
            outcome.Error),
        PublishStatus.Failed => outcome.Error as PublishException
            ?? new PublishException(
                $"The event '{envelope.Name}' {envelope.Id} was not accepted and reached no subscription: {TextOf(outcome.Error)}",
                PublishFailure.Failed,
                envelope.Id,
                outcome.Error),
        _ => outcome.Error as PublishException ?? InDoubt(envelope, outcome.Error),
    };

    /// <summary>Creates the exception for an event that may have been accepted.</summary>
    public PublishException InDoubt(Envelope envelope, Exception? cause) => new(
        $"It is in doubt whether the event '{envelope.Name}' {envelope.Id} was accepted: "
            + $"{TextOf(cause) ?? $"{features.System} gave no answer."} "
        + $"To be sure, publish it again with PublishOptions.EventId = \"{envelope.Id}\", so that it can be recognised as the same "
        + $"event.{(features.Durable ? "" : " In memory it is lost if this process ends.")}",
        PublishFailure.InDoubt, envelope.Id, cause);

    /// <summary>
    /// Counts an event that no subscription matches. Returns the exception if its type requires a subscriber; null
    /// otherwise.
    /// </summary>
    public PublishException? Unrouted(EventDescriptor descriptor, string? eventId)
    {
        services.Diagnostics.Unrouted(descriptor.Name);
        if (descriptor.RequiresSubscriber)
        {
            return new PublishException(
                $"No subscription matches '{descriptor.Name}', and its type was declared with RequireSubscriber(). Subscribe to it, or "
                    + "correct the name or pattern of the subscription that should match.",
                PublishFailure.NoSubscriber,
                eventId);
        }

        if (descriptor.FirstUnrouted())
        {
            services.Log.NoSubscription(descriptor.Name);
        }

        return null;
    }

    /// <summary>
    /// Returns the descriptor of an event that may come from a store. If another version of this application stored it,
    /// this version may not know the event.
    /// </summary>
    private EventDescriptor DescriptorOf(Envelope envelope) =>
        envelope.Descriptor
            ?? events.Find(envelope.Name, envelope.Version)
            ?? new EventDescriptor(typeof(object), envelope.Name, envelope.Version);

    private static string? TextOf(Exception? error) => error is null ? null : ExceptionText.MessageOf(error);
}
