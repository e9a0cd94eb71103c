namespace EventBus;

/// <summary>Records a run of the handler as a trace span and in the metrics, while a listener observes them.</summary>
internal sealed class TracingStep(BusServices services, DeliveryStep next) : DeliveryStep
{
    private readonly BusDiagnostics diagnostics = services.Diagnostics;

    public override ValueTask<DeliveryOutcome> InvokeAsync(DeliveryContext context, CancellationToken cancellationToken) =>
        diagnostics.ObservesProcess ? TraceAsync(context, cancellationToken) : next.InvokeAsync(context, cancellationToken);

    private async ValueTask<DeliveryOutcome> TraceAsync(DeliveryContext context, CancellationToken cancellationToken)
    {
        var startedAt = services.StoreTime.GetTimestamp();
        var handled = new ProcessedEvent(context.EventName, context.EventId, context.CorrelationId, context.Subscription, context.Attempt);
        using var activity = diagnostics.StartProcess(handled, context.Envelope.TraceParent, context.Envelope.TraceState);
        var outcome = await next.InvokeAsync(context, cancellationToken);
        diagnostics.Processed(activity, handled, startedAt, (outcome.Failure as Threw)?.Exception);
        return outcome;
    }
}
