namespace EventBus;

/// <summary>Reports the outcomes of a subscription's deliveries to its circuit breaker.</summary>
/// <remarks>The workers ask the circuit breaker before they take a delivery.</remarks>
internal sealed class CircuitBreakerStep(SubscriptionCircuitBreaker breaker, DeliveryStep next) : DeliveryStep
{
    public override ValueTask<DeliveryOutcome> InvokeAsync(DeliveryContext context, long now, CancellationToken cancellationToken)
    {
        var running = next.InvokeAsync(context, now, cancellationToken);
        return running.IsCompletedSuccessfully
            ? new(Report(running.Result, cancellationToken))
            : ReportAsync(running, cancellationToken);
    }

    private async ValueTask<DeliveryOutcome> ReportAsync(ValueTask<DeliveryOutcome> running, CancellationToken lost) =>
        Report(await running, lost);

    private DeliveryOutcome Report(DeliveryOutcome outcome, CancellationToken lost)
    {
        if (outcome.HandlerSucceeded)
        {
            breaker.Succeeded();
        }

        // If the event was lost to another instance, this outcome is ignored: the outcome on that instance counts.
        return outcome.Failure is { } failure && !lost.IsCancellationRequested
            ? outcome with { Failure = breaker.RecordFailure(failure) }
            : outcome;
    }
}
