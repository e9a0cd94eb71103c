namespace EventBus;

/// <summary>Composes the steps of a subscription, once at the start. This is the path of every delivery.</summary>
internal static class DeliveryPipeline
{
    /// <summary>Composes the steps that the subscription needs, from the first to the last.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="reader">Reads received events.</param>
    /// <param name="handler">The middleware and the handler.</param>
    /// <param name="services">The services of the bus.</param>
    public static DeliveryStep Compose(SubscriptionRuntime subscription, EventReader reader, EventDelegate handler, BusServices services)
    {
        var deadlines = new HandlerDeadlines(subscription.HandlerTimeout, services);
        Func<DeliveryStep, DeliveryStep>?[] steps =
        [
            // Before reading: it counts what becomes of the delivery. It ignores events that cannot be read.
            subscription.CircuitBreaker is { } breaker ? next => new CircuitBreakerStep(breaker, next) : null,
            next => new ExceptionStep(services, next),
            next => new ReadStep(subscription, reader, next),
            subscription.Guard is { } guard ? next => new OrderGuardStep(subscription, guard, deadlines, services, next) : null,

            // After the guard: an event that waits is not a run of the handler, and is not traced as one.
            next => new TracingStep(services, next),

            // Before idempotency, so that it runs after it: events are sent when their handler's success is stored.
            next => new FollowUpStep(subscription, services, next),
            subscription.Claims is { } claims ? next => new IdempotencyStep(subscription, claims, deadlines, services, next) : null,

            // After idempotency: waiting for the store or for another attempt does not count as time of the handler.
            _ => new TimeoutStep(subscription, handler, deadlines, services),
        ];
        return steps.OfType<Func<DeliveryStep, DeliveryStep>>().Reverse().Aggregate((DeliveryStep)null!, (next, create) => create(next));
    }
}
