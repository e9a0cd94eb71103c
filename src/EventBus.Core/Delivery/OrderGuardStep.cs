namespace EventBus;

/// <summary>
/// Asks the guards of the subscription whether the event may be handled now, and records that it was handled.
/// </summary>
internal sealed class OrderGuardStep(
    SubscriptionRuntime subscription, OrderGuardEvaluator guards, HandlerDeadlines deadlines, BusServices services, DeliveryStep next)
        : DeliveryStep
{
    // The time for which a deferred event waits at least after a start or a pause, unless its own timeout is shorter:
    // the event that it waits for may still be in the queue of the broker.
    private static readonly TimeSpan MinimumWait = TimeSpan.FromMinutes(1);

    private readonly DateTimeOffset startedAt = services.StoreTime.GetUtcNow();

    public override async ValueTask<DeliveryOutcome> InvokeAsync(DeliveryContext context, long now, CancellationToken cancellationToken)
    {
        long? position = null;
        DeliveryOutcome outcome;
        try
        {
            var evaluation = await EvaluateAsync(context, cancellationToken);
            position = evaluation.Position;
            outcome = evaluation.Decision switch
            {
                OrderDecision.Defer => DeliveryOutcome.Deferred(
                    evaluation.Waiting! with { EarliestDeadline = EarliestDeadline(evaluation.Waiting) }),
                OrderDecision.Skip => DeliveryOutcome.Skipped,
                _ => await next.InvokeAsync(context, services.StoreTime.GetTimestamp(), cancellationToken),
            };
            if (outcome.Status is DeliveryStatus.Handled or DeliveryStatus.Skipped)
            {
                await guards.AdvanceAsync(context.Envelope, position);
            }
        }
        catch (Exception exception)
        {
            outcome = DeliveryOutcome.Of(exception, services.Abort);
        }

        return outcome.WithPosition(position);
    }

    /// <summary>
    /// Asks the guards. If the handler is not called afterwards, closes the scope that the guards used.
    /// </summary>
    private async Task<OrderEvaluation> EvaluateAsync(DeliveryContext context, CancellationToken lost)
    {
        var proceeds = false;
        try
        {
            var mayBePassed = context.State is { MayBePassed: true };
            var evaluation = await guards.EvaluateAsync(context, context.Envelope, mayBePassed, deadlines.FromNow, lost);
            proceeds = evaluation.Decision == OrderDecision.Proceed;
            return evaluation;
        }
        finally
        {
            if (!proceeds)
            {
                await context.CloseScopeAsync();
            }
        }
    }

    /// <summary>Gets the earliest time at which a deferred event may become a dead letter.</summary>
    private DateTimeOffset EarliestDeadline(Deferred waiting)
    {
        var minimumWait = waiting.Timeout < MinimumWait ? waiting.Timeout : MinimumWait;
        return (subscription.CircuitBreaker?.RunningSince(startedAt) ?? startedAt) + minimumWait;
    }
}
