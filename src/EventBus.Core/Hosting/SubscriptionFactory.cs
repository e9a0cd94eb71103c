using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Creates the workers of the subscriptions of one bus.</summary>
internal sealed class SubscriptionFactory(
    BusPlan plan,
    BusStores stores,
    RecoveryComponents recovery,
    PublishComponents publishing,
    BusServices services)
{
    private readonly EventReader reader = new(plan.Events, plan.Options.MaxBodyBytes);
    private readonly RedeliveryCoordinator redeliveries = new(services.Time, plan.Options.Lease);

    /// <summary>Creates the worker of a subscription.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="receiver">Receives its deliveries.</param>
    /// <param name="provider">The services of the application.</param>
    public SubscriptionWorker Create(SubscriptionPlan subscription, Receiver receiver, IServiceProvider provider)
    {
        var runtime = CreateRuntime(subscription, provider);
        var handler = HandlerPipeline.Compose(plan.Registration, subscription, provider);
        var processor = new DeliveryProcessor(
            runtime,
            DeliveryPipeline.Compose(runtime, reader, handler, services),
            new OutcomeSettler(runtime, recovery.Recorder),
            new RedeliveryAdmission(runtime, recovery.Recorder, new RedeliveryLock(redeliveries), services),
            services);
        return runtime.Subscription.Ordered
            ? new OrderedWorker(runtime, receiver, processor, recovery.Recorder, services)
            : new SubscriptionWorker(runtime, receiver, processor, recovery.Recorder, services);
    }

    private SubscriptionRuntime CreateRuntime(SubscriptionPlan subscription, IServiceProvider provider)
    {
        var types = subscription.Handlers.Select(handler => handler.EventType).ToHashSet();
        var slots = new ConcurrencyLimiter(subscription.Subscription.Concurrency, recovery.Writer.Intake);
        var policy = recovery.Policies.Of(subscription.Subscription.Name);
        return new SubscriptionRuntime
        {
            Subscription = subscription.Subscription,
            FollowUps = publishing.FollowUps,
            EffectPrefix = publishing.EffectPrefix,
            Attempts = recovery.Attempts,
            Scopes = provider.GetRequiredService<IServiceScopeFactory>(),
            Slots = slots,
            EventTypes = types,
            FailurePolicy = policy,
            Guard = policy.Guarded ? new OrderGuardEvaluator(subscription.Registration.Guards, policy, recovery.Order, slots) : null,
            Claims = CreateClaims(subscription),
            HandlerTimeout = subscription.Settings.HandlerTimeout,
            CircuitBreaker = CreateCircuitBreaker(subscription, policy),
        };
    }

    private EventClaims? CreateClaims(SubscriptionPlan subscription) =>
        (subscription.Registration.Idempotency ?? plan.Registration.Idempotency) is { } options
        && stores.Processed is { } processed
        && recovery.ClaimLeases is { } leases
            ? new EventClaims(
                new IdempotencySettings(subscription.Subscription.Name, options, plan.Options.Lease),
                processed,
                recovery.Writer,
                leases,
                services)
            : null;

    private SubscriptionCircuitBreaker? CreateCircuitBreaker(SubscriptionPlan subscription, FailurePolicy policy) =>
        subscription.Settings.CircuitBreaker is { } breaker
            ? new SubscriptionCircuitBreaker(policy.Subscription, breaker, policy.Retry, recovery.RetriesDue, services)
            : null;
}
