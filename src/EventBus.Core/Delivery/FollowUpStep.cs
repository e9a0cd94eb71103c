using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Ends a delivery after its handler: closes the scope, and then sends the events that the handler published.
/// </summary>
/// <remarks>
/// For an event that was handled before, sends the events of that attempt: its process may have ended between storing
/// and sending them.
/// </remarks>
internal sealed class FollowUpStep(SubscriptionRuntime subscription, BusServices services, DeliveryStep next) : DeliveryStep
{
    public override ValueTask<DeliveryOutcome> InvokeAsync(DeliveryContext context, long now, CancellationToken cancellationToken)
    {
        var running = next.InvokeAsync(context, now, cancellationToken);
        return running.IsCompletedSuccessfully && context.State is null ? running : EndAsync(context, running);
    }

    private async ValueTask<DeliveryOutcome> EndAsync(DeliveryContext context, ValueTask<DeliveryOutcome> running)
    {
        try
        {
            var outcome = await CloseScopeAfterAsync(context, running);
            return outcome.Status is DeliveryStatus.Handled or DeliveryStatus.Skipped && context.State?.Outbox is { Count: > 0 } outbox
                ? await SendAsync(context, context.State, outbox, outcome)
                : outcome;
        }
        finally
        {
            // The claim ends only after the events are sent. Otherwise another attempt that waits for this one could
            // find the events unsent, and send them too.
            context.State?.Claim?.Dispose();
        }
    }

    private async ValueTask<DeliveryOutcome> SendAsync(
        DeliveryContext context,
        DeliveryState state,
        IReadOnlyList<Envelope> outbox,
        DeliveryOutcome outcome)
    {
        try
        {
            await subscription.FollowUps.SendAsync(outbox);
            if (subscription.Claims is { } claims)
            {
                await claims.MarkDispatchedAsync(context.Envelope, state.Key, isDelivery: !state.IsKept, subscription.Slots);
            }

            return outcome;
        }
        catch (Exception exception) when (!services.Abort.IsCancellationRequested)
        {
            // In an idempotent subscription the success of the handler is stored, so this is no failure of the handler:
            // on redelivery, the event is recognized as handled, and only the events that it published are sent.
            return subscription.Claims is null ? DeliveryOutcome.Failed(exception) : outcome.ThenFailed(exception);
        }
    }

    private static async ValueTask<DeliveryOutcome> CloseScopeAfterAsync(DeliveryContext context, ValueTask<DeliveryOutcome> running)
    {
        try
        {
            return await running;
        }
        finally
        {
            await context.CloseScopeAsync();
        }
    }
}
