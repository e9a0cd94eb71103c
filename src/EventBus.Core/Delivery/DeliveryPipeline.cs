namespace EventBus;

/// <summary>
/// Composes the steps of a subscription once, when the bus starts. Every delivery passes through these steps.
/// </summary>
internal static class DeliveryPipeline
{
    /// <summary>Composes the steps that the subscription needs.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="reader">Reads received events.</param>
    /// <param name="handler">The middleware and the handler.</param>
    /// <param name="services">The services of the bus.</param>
    /// <returns>The first step.</returns>
    public static DeliveryStep Compose(SubscriptionRuntime subscription, EventReader reader, EventDelegate handler, BusServices services)
    {
        var deadlines = new HandlerDeadlines(subscription.HandlerTimeout, services);

        // The steps before the last one, in the order in which they begin. Null: the subscription does not need it.
        Func<DeliveryStep, DeliveryStep>?[] steps =
        [
            // Before reading, so that it sees the outcome of the whole delivery. Events that cannot be read do not
            // count.
            subscription.CircuitBreaker is { } breaker ? next => new CircuitBreakerStep(breaker, next) : null,
            next => new ExceptionStep(services, next),
            next => new ReadStep(subscription, reader, services, next),
            subscription.Guard is { } guard ? next => new OrderGuardStep(subscription, guard, deadlines, services, next) : null,

            // After the guard: an event that waits is not a run of the handler, and is not traced as one.
            next => new TracingStep(services, next),

            // Begins before idempotency and therefore ends after it: events are sent after the success of their handler
            // is stored.
            next => new FollowUpStep(subscription, services, next),
            subscription.Claims is { } claims ? next => new IdempotencyStep(subscription, claims, deadlines, services, next) : null,
        ];

        // Last, because waiting for the store or for another attempt does not count as time of the handler.
        DeliveryStep first = new TimeoutStep(subscription, handler, deadlines, services);
        foreach (var create in steps.OfType<Func<DeliveryStep, DeliveryStep>>().Reverse())
        {
            first = create(first);
        }

        return first;
    }
}
