using System.Diagnostics;

namespace EventBus;

/// <summary>Records a run of the handler as a trace span and in the metrics, while a listener observes them.</summary>
internal sealed class TracingStep(BusServices services, DeliveryStep next) : DeliveryStep
{
    private readonly BusDiagnostics diagnostics = services.Diagnostics;

    public override ValueTask<DeliveryOutcome> InvokeAsync(DeliveryContext context, long now, CancellationToken cancellationToken) =>
        diagnostics.ObservesProcess ? TraceAsync(context, now, cancellationToken) : next.InvokeAsync(context, now, cancellationToken);

    private async ValueTask<DeliveryOutcome> TraceAsync(DeliveryContext context, long now, CancellationToken cancellationToken)
    {
        var handled = new ProcessedEvent(context.EventName, context.EventId, context.CorrelationId, context.Subscription, context.Attempt);
        using var activity = diagnostics.StartProcess(handled, context.Envelope.TraceParent, context.Envelope.TraceState);
        var outcome = await next.InvokeAsync(context, now, cancellationToken);
        if (outcome.Status == DeliveryStatus.ClaimedElsewhere)
        {
            // The handler was not called, and this may happen several times before it is.
            activity?.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            return outcome;
        }

        diagnostics.Processed(activity, handled, now, (outcome.Failure as Threw)?.Exception);
        return outcome;
    }
}
