using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>A subscription as composed at the start. Immutable.</summary>
internal sealed class SubscriptionRuntime
{
    public SubscriptionRuntime() => Ended = new DeliveryState(this);

    public required Subscription Subscription { get; init; }

    /// <summary>Publishes the events that handlers publish through their context.</summary>
    public required FollowUpPublisher FollowUps { get; init; }

    /// <summary>The prefix of idempotency keys; empty for the default bus.</summary>
    public required string EffectPrefix { get; init; }

    /// <summary>Counts the attempts of redelivered events.</summary>
    public required AttemptCounter Attempts { get; init; }

    public required IServiceScopeFactory Scopes { get; init; }

    /// <summary>The scope, the middleware and the handler, composed once.</summary>
    public required EventDelegate Pipeline { get; init; }

    /// <summary>
    /// The event types that the subscription handles; empty for a wildcard subscription, which handles all events.
    /// </summary>
    public required IReadOnlySet<Type> EventTypes { get; init; }

    /// <summary>The event type when there is only one; null otherwise. The fast path checks it.</summary>
    public required Type? OnlyType { get; init; }

    public required FailurePolicy Failure { get; init; }

    /// <summary>The slots of this subscription. Each handler that runs holds one.</summary>
    public required ConcurrencyLimiter Slots { get; init; }

    public required TimeSpan HandlerTimeout { get; init; }

    /// <summary>The guards of its events; null for none.</summary>
    public OrderGuardEvaluator? Guard { get; init; }

    /// <summary>Ensures that each event is handled once; null when not configured.</summary>
    public OnceStep? Once { get; init; }

    /// <summary>
    /// True if the effects that a handler adds to its context run in the transaction that marks the event as handled.
    /// </summary>
    public bool HasTransactions { get; init; }

    /// <summary>The circuit breaker; null when not configured.</summary>
    public SubscriptionCircuitBreaker? CircuitBreaker { get; init; }

    /// <summary>
    /// True if the fast path is possible: no guard, no circuit breaker, and no idempotency check that is asynchronous.
    /// </summary>
    public bool IsPlain => Guard is null && CircuitBreaker is null && Once is not { IsQuick: false };

    /// <summary>The state in the context of a handler that has ended: nothing can be published through it.</summary>
    public DeliveryState Ended { get; }

    public string Name => Subscription.Name;

    public bool TakesAny => EventTypes.Count == 0;
}
