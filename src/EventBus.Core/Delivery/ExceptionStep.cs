namespace EventBus;

/// <summary>Turns exceptions of the following steps into outcomes, so that every delivery is settled.</summary>
/// <remarks>
/// The following steps have already turned exceptions of the handler into outcomes. The others come from an idempotency
/// key of the application, a disposed service, a listener of traces or a store.
/// </remarks>
internal sealed class ExceptionStep(BusServices services, DeliveryStep next) : DeliveryStep
{
    public override ValueTask<DeliveryOutcome> InvokeAsync(DeliveryContext context, long now, CancellationToken cancellationToken)
    {
        var running = next.InvokeAsync(context, now, cancellationToken);
        return running.IsCompletedSuccessfully ? running : CatchAsync(running);
    }

    private async ValueTask<DeliveryOutcome> CatchAsync(ValueTask<DeliveryOutcome> running)
    {
        try
        {
            return await running;
        }
        catch (Exception exception)
        {
            return DeliveryOutcome.Of(exception, services.Abort);
        }
    }
}
