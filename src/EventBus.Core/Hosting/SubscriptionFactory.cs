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

    /// <summary>Creates the worker of a subscription.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="receiver">Receives its deliveries.</param>
    /// <param name="provider">The services of the application.</param>
    public SubscriptionWorker Create(SubscriptionPlan subscription, Receiver receiver, IServiceProvider provider)
    {
        var runtime = CreateRuntime(subscription, provider);
        var handler = HandlerPipeline.Compose(plan, subscription, provider);
        var processor = new DeliveryProcessor(
            runtime,
            DeliveryPipeline.Compose(runtime, reader, handler, services),
            new OutcomeSettler(runtime, recovery.Recorder),
            new RedeliveryAdmission(runtime, recovery.Recorder, new RedeliveryLock(recovery.Redeliveries), services),
            services);
        return runtime.Subscription.Ordered
            ? new OrderedWorker(runtime, receiver, processor, recovery.Recorder, services)
            : new SubscriptionWorker(runtime, receiver, processor, recovery.Recorder, services);
    }

    private SubscriptionRuntime CreateRuntime(SubscriptionPlan subscription, IServiceProvider provider)
    {
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
            EventTypes = subscription.Handlers.Select(handler => handler.EventType).ToHashSet(),
            FailurePolicy = policy,
            Guard = policy.Guarded ? new OrderGuardEvaluator(subscription.Registration.Guards, policy, recovery.Order, slots) : null,
            Claims = CreateClaims(subscription),
            ForwardsBytes = subscription.Registration.Forward is not null,
            HandlerTimeout = subscription.Settings.HandlerTimeout,
            CircuitBreaker = CreateCircuitBreaker(subscription, policy),
        };
    }

    /// <summary>Creates the claims of an idempotent subscription; null for any other subscription.</summary>
    private EventClaims? CreateClaims(SubscriptionPlan subscription)
    {
        var options = subscription.Registration.Idempotency ?? plan.Registration.Idempotency;
        if (options is null || stores.Processed is null || recovery.ClaimLeases is null)
        {
            return null;
        }

        return new EventClaims(
            new IdempotencySettings(subscription.Subscription.Name, options, plan.Options.Lease),
            stores.Processed,
            recovery.Writer,
            recovery.ClaimLeases,
            services);
    }

    private SubscriptionCircuitBreaker? CreateCircuitBreaker(SubscriptionPlan subscription, FailurePolicy policy)
    {
        var settings = subscription.Settings.CircuitBreaker;
        return settings is null
            ? null
            : new SubscriptionCircuitBreaker(policy.Subscription, settings, policy.Retry, recovery.RetriesDue, services);
    }
}
