using System.Text.Json;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Turns a received message into the event that a subscription handles, or returns why it cannot be handled.
/// </summary>
internal sealed class EventReader(EventRegistry events, int maxBodyBytes)
{
    // The members of a larger body are not named, because it would have to be read for that.
    private const int MaxDescribedBytes = 16 * 1024 * 1024;

    /// <summary>
    /// Deserializes the event into the envelope and upcasts it if the subscription handles a newer version.
    /// </summary>
    /// <returns>The reason why the event cannot be handled; null if it can.</returns>
    public Rejection? Read(DeliveryContext context)
    {
        var envelope = context.Envelope;
        var subscription = context.Owner;
        if (envelope.Payload is null && Deserialize(envelope, subscription) is { } rejection)
        {
            return rejection;
        }

        return subscription.TakesAny || envelope.Payload is null ? null : Upcast(envelope.Payload, context, subscription.EventTypes);
    }

    private Rejection? Deserialize(Envelope envelope, SubscriptionRuntime subscription)
    {
        // Before anything is parsed into objects.
        var unreadable = Check(envelope);
        if (unreadable is not null || subscription.ForwardsBytes)
        {
            return unreadable;
        }

        var allowsUnknown = subscription.TakesAny;
        if (events.Find(envelope.Name, envelope.Version) is not { } descriptor)
        {
            return allowsUnknown ? null : new Rejection(
                DeadLetterReason.UnknownEvent,
                $"This application knows no event '{envelope.Name}' in version {envelope.Version}.");
        }

        var json = JsonContent.Of(envelope.ContentType);
        if (!json.IsJson)
        {
            return allowsUnknown
                ? null
                : new Rejection(DeadLetterReason.Unreadable, $"The body is '{envelope.ContentType}', and only JSON can be read.");
        }

        try
        {
            var body = json.ToUtf8(envelope.Body).Span;
            if (descriptor.Members?.Check(body) is { } rejection)
            {
                return rejection;
            }

            if (JsonSerializer.Deserialize(body, descriptor.Json!) is not { } value)
            {
                return new Rejection(DeadLetterReason.Unreadable, "The body is the JSON value null.");
            }

            envelope.Bind(descriptor, value);
            return null;
        }
        catch (Exception exception)
        {
            // The exception may be of any type, because the constructors and setters of the event type run here.
            var missing = exception is JsonException ? descriptor.Members?.DescribeMissing(json.ToUtf8(envelope.Body).Span) : null;
            return new Rejection(
                DeadLetterReason.Unreadable,
                $"The body cannot be read as {descriptor.Type}: {ReadFailure.Describe(exception)}{missing}.");
        }
    }

    /// <summary>Checks the envelope and the size of the body. The JSON reader checks the depth.</summary>
    private Rejection? Check(Envelope envelope)
    {
        if (envelope.Defect is { } defect)
        {
            return new Rejection(DeadLetterReason.Unreadable, defect);
        }

        return envelope.BodyLength <= maxBodyBytes ? null : new Rejection(
            DeadLetterReason.TooLarge,
            $"The body has {envelope.BodyLength:N0} bytes; at most {maxBodyBytes:N0} are read "
                + $"({nameof(EventBusOptions)}.{nameof(EventBusOptions.MaxBodyBytes)}).{LargestMembersOf(envelope)}");
    }

    /// <summary>Names the largest members of a body that is too large, without deserializing it.</summary>
    private string LargestMembersOf(Envelope envelope) =>
        envelope.BodyLength <= MaxDescribedBytes && events.Find(envelope.Name, envelope.Version) is { } descriptor
            ? LargestMembers.Describe(envelope.Body.Span, descriptor.Json)
            : "";

    /// <summary>Upcasts an event until it has a type that the subscription handles.</summary>
    private Rejection? Upcast(object payload, DeliveryContext context, IReadOnlySet<Type> handledTypes)
    {
        var @event = payload;
        while (!handledTypes.Contains(@event.GetType()))
        {
            var type = @event.GetType();
            try
            {
                if (!events.TryUpcast(ref @event))
                {
                    return new Rejection(
                        DeadLetterReason.UnknownEvent,
                        $"The event '{context.EventName}' of version {context.EventVersion} was read as {type}. The subscription does not "
                            + "handle this type, and no bus.Upcast leads from it to a type that it handles.");
                }
            }
            catch (Exception exception)
            {
                return new Rejection(DeadLetterReason.Unreadable, $"The upcast of {type} failed: {ReadFailure.Describe(exception)}.");
            }

            if (@event is null)
            {
                return new Rejection(DeadLetterReason.UnknownEvent, $"The function given to bus.Upcast for {type} returned null.");
            }
        }

        if (!ReferenceEquals(@event, payload))
        {
            context.EnsureState().Event = @event;
        }

        return null;
    }
}
