namespace EventBus;

/// <summary>Turns exceptions of the following steps into outcomes, so that every delivery is settled.</summary>
/// <remarks>
/// Failures of the handler are outcomes already. These are failures of an upcast, an idempotency key, a listener of
/// traces or a store.
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
