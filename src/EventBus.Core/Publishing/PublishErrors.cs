using System.Collections.Concurrent;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Creates the exceptions for the outcomes of publishes, and logs them. Counts and logs the events that no subscription
/// matches. Thread-safe.
/// </summary>
internal sealed class PublishErrors(EventRegistry events, TransportFeatures features, BusServices services)
{
    // The events of unknown types that no subscription matched, so that each is logged once. Foreign names are bounded.
    private const int MaxUnknown = 256;

    private readonly ConcurrentDictionary<string, EventDescriptor> unknown = new(StringComparer.Ordinal);

    /// <summary>False if the caller logs the failures itself. Default true.</summary>
    public bool LogsFailures { get; init; } = true;

    /// <summary>
    /// Returns the exception for the outcome of an event; null if the event was accepted. If the event failed or is in
    /// doubt, a <see cref="PublishException"/> in the outcome is returned as it is.
    /// </summary>
    /// <param name="outcome">The outcome.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="isRepeated">True if the bus itself publishes the event again after a failure.</param>
    public PublishException? Of(PublishOutcome outcome, Envelope envelope, bool isRepeated = false)
    {
        var error = Create(outcome, envelope);
        if (error is not null)
        {
            Log(envelope, error, isRepeated);
        }

        return error;
    }

    /// <summary>Logs the failure of an event, unless it is logged already.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="error">The failure.</param>
    /// <param name="isRepeated">True if the bus itself publishes the event again.</param>
    public void Log(Envelope envelope, PublishException error, bool isRepeated = false)
    {
        if (LogsFailures)
        {
            services.Log.FailedPublish(envelope.Name, error, isRepeated || envelope.IdIsDerived);
        }
    }

    /// <summary>Creates the exception for an event that may have been accepted, and logs it.</summary>
    public PublishException InDoubt(Envelope envelope, Exception? cause)
    {
        var error = CreateInDoubt(envelope, cause);
        Log(envelope, error);
        return error;
    }

    /// <summary>
    /// Counts an event that no subscription matches and that was not created. Returns the exception, and logs it, if
    /// its type requires a subscriber; null otherwise.
    /// </summary>
    public PublishException? Unrouted(EventDescriptor descriptor)
    {
        var error = Unrouted(descriptor, eventId: null);
        if (error is not null && LogsFailures)
        {
            services.Log.FailedPublish(descriptor.Name, error);
        }

        return error;
    }

    private PublishException? Create(PublishOutcome outcome, Envelope envelope) => outcome.Status switch
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
        _ => outcome.Error as PublishException ?? CreateInDoubt(envelope, outcome.Error),
    };

    private PublishException CreateInDoubt(Envelope envelope, Exception? cause)
    {
        var reason = TextOf(cause) ?? $"{features.System} gave no answer.";
        var isOnlyInProcess = features is { Durable: false, CountsWork: true };
        return new PublishException(
            $"It is in doubt whether the event '{envelope.Name}' {envelope.Id} was accepted: {reason} "
                + $"To be sure, publish it again with PublishOptions.EventId = \"{envelope.Id}\", so that it can be recognized as the "
                + $"same event.{(isOnlyInProcess ? " If it was accepted, it is lost when this process ends before it is handled." : "")}",
            PublishFailure.InDoubt,
            envelope.Id,
            cause);
    }

    /// <summary>
    /// Counts an event that no subscription matches. Returns the exception if its type requires a subscriber; null
    /// otherwise.
    /// </summary>
    private PublishException? Unrouted(EventDescriptor descriptor, string? eventId)
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
    /// Returns the descriptor of an event. An event from a store or from another bus may have none, and this version of
    /// the application may not know its type.
    /// </summary>
    private EventDescriptor DescriptorOf(Envelope envelope) =>
        envelope.Descriptor
            ?? events.Find(envelope.Name, envelope.Version)
            ?? DescriptorOfUnknown(envelope.Name);

    private EventDescriptor DescriptorOfUnknown(string name)
    {
        if (!unknown.TryGetValue(name, out var descriptor))
        {
            descriptor = new EventDescriptor(typeof(object), name, version: 1);
            _ = unknown.Count < MaxUnknown ? unknown.TryAdd(name, descriptor) : descriptor.FirstUnrouted();
        }

        return descriptor;
    }

    private static string? TextOf(Exception? error) => error is null ? null : ExceptionText.MessageOf(error);
}
