using System.Text.Json;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Turns a received message into the event that a subscription handles, or returns why it cannot be handled.
/// </summary>
internal sealed class EventReader(EventRegistry events, int maxBodyBytes)
{
    /// <summary>
    /// Deserializes the event into the envelope and upcasts it if the subscription handles a newer version. Returns
    /// null on success, otherwise the reason of the failure.
    /// </summary>
    public Rejection? Read(DeliveryContext context)
    {
        var (envelope, subscription) = (context.Envelope, context.Owner);
        if (envelope.Payload is null && Deserialize(envelope, subscription.TakesAny) is { } rejection)
        {
            return rejection;
        }

        return subscription.TakesAny || envelope.Payload is null ? null : CarryForward(envelope.Payload, context, subscription.EventTypes);
    }

    private Rejection? Deserialize(Envelope envelope, bool unknownIsFine)
    {
        // First the size, then the depth, then the content: nothing is parsed before it is known to be small.
        if (envelope.Defect is { } defect)
        {
            return new Rejection(DeadLetterReason.Unreadable, defect);
        }

        if (envelope.BodyLength > maxBodyBytes)
        {
            return new Rejection(
                DeadLetterReason.TooLarge,
                $"The body has {envelope.BodyLength:N0} bytes; at most {maxBodyBytes:N0} are read "
                    + $"({nameof(EventBusOptions)}.{nameof(EventBusOptions.MaxBodyBytes)}).");
        }

        if (events.Find(envelope.Name, envelope.Version) is not { } descriptor)
        {
            return unknownIsFine ? null : new Rejection(
                DeadLetterReason.UnknownEvent,
                $"This application knows no event '{envelope.Name}' in version {envelope.Version}.");
        }

        var json = JsonContent.Of(envelope.ContentType);
        if (!json.IsJson)
        {
            return unknownIsFine
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
            return new Rejection(
                DeadLetterReason.Unreadable,
                $"The body cannot be read as {descriptor.Type}: {ReadFailure.Describe(exception)}"
                    + $"{(exception is JsonException ? descriptor.Members?.NameMissing(json.ToUtf8(envelope.Body).Span) : null)}.");
        }
    }

    private Rejection? CarryForward(object payload, DeliveryContext context, IReadOnlySet<Type> handled)
    {
        var @event = payload;
        while (!handled.Contains(@event.GetType()))
        {
            var before = @event;
            try
            {
                if (!events.TryUpcast(ref @event) || @event is null)
                {
                    return new Rejection(
                        DeadLetterReason.UnknownEvent,
                        $"The subscription handles no {before.GetType()} (version {context.EventVersion} of '{context.EventName}'), and "
                            + "no bus.Upcast leads from it to a type that it handles (or one of them returned null).");
                }
            }
            catch (Exception exception)
            {
                return new Rejection(
                    DeadLetterReason.Unreadable,
                    $"The upcast of {before.GetType()} failed: {ReadFailure.Describe(exception)}.");
            }
        }

        if (!ReferenceEquals(@event, payload))
        {
            context.EnsureState().Event = @event;
        }

        return null;
    }
}
