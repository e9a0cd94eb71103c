namespace EventBus;

/// <summary>
/// Reads the event as the type that the subscription handles. Rejects an event that cannot be handled.
/// </summary>
internal sealed class ReadStep(SubscriptionRuntime subscription, EventReader reader, BusServices services, DeliveryStep next) : DeliveryStep
{
    private readonly Type? onlyType = subscription.EventTypes.Count == 1 ? subscription.EventTypes.First() : null;

    public override ValueTask<DeliveryOutcome> InvokeAsync(DeliveryContext context, long now, CancellationToken cancellationToken)
    {
        // The usual case in memory: the event already has the only type that the subscription handles.
        if (onlyType is not null && context.Envelope.Payload?.GetType() == onlyType)
        {
            return next.InvokeAsync(context, now, cancellationToken);
        }

        // Reading takes time, which does not count for the handler.
        return reader.Read(context) is { } rejection
            ? new(DeliveryOutcome.Rejected(rejection))
            : next.InvokeAsync(context, services.StoreTime.GetTimestamp(), cancellationToken);
    }
}
