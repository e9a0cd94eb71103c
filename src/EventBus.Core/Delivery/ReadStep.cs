namespace EventBus;

/// <summary>
/// Reads the event as the type that the subscription handles. Rejects an event that cannot be handled.
/// </summary>
internal sealed class ReadStep(SubscriptionRuntime subscription, EventReader reader, DeliveryStep next) : DeliveryStep
{
    // Most subscriptions handle one type, and an event in memory has it: then there is nothing to read.
    private readonly Type? onlyType = subscription.EventTypes.Count == 1 ? subscription.EventTypes.First() : null;

    public override ValueTask<DeliveryOutcome> InvokeAsync(DeliveryContext context, long now, CancellationToken cancellationToken) =>
        (onlyType is null || context.Envelope.Payload?.GetType() != onlyType) && reader.Read(context) is { } rejection
            ? new(DeliveryOutcome.Rejected(rejection))
            : next.InvokeAsync(context, now, cancellationToken);
}
