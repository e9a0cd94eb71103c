using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Ends a delivery after its handler: closes the scope, and then sends the events that the handler published.
/// </summary>
/// <remarks>
/// If an event is delivered again after it was handled, sends the events that the earlier attempt stored: its process
/// may have ended between storing and sending them.
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
            if (outcome.Status is not (DeliveryStatus.Handled or DeliveryStatus.Skipped))
            {
                return outcome;
            }

            return context.State is { Outbox: { Count: > 0 } outbox } state
                ? await SendAsync(context, state, outbox, outcome)
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
                await claims.MarkDispatchedAsync(
                    context.Envelope,
                    state.DeduplicationKey,
                    isDelivery: !state.IsStoredEntry,
                    subscription.Slots);
            }

            return outcome;
        }
        catch (Exception exception) when (!services.Abort.IsCancellationRequested)
        {
            if (subscription.Claims is null)
            {
                // The retry runs the handler again.
                return DeliveryOutcome.Failed(exception);
            }

            // The success of the handler is stored. The retry recognizes the event as handled, and sends only the
            // events that the handler published.
            return outcome.WithFollowUpFailure(exception);
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
