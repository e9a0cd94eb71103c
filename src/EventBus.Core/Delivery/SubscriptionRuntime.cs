using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Holds the parts of a subscription, which are composed when the bus starts. Immutable.</summary>
internal sealed class SubscriptionRuntime
{
    public SubscriptionRuntime() => Ended = new EndedDelivery(this);

    public required Subscription Subscription { get; init; }

    /// <summary>Publishes the events that handlers publish through their context.</summary>
    public required FollowUpPublisher FollowUps { get; init; }

    /// <summary>The prefix of idempotency keys; empty for the default bus.</summary>
    public required string EffectPrefix { get; init; }

    /// <summary>Counts the attempts of redelivered events.</summary>
    public required AttemptCounter Attempts { get; init; }

    public required IServiceScopeFactory Scopes { get; init; }

    /// <summary>
    /// The event types that the subscription handles; empty for a wildcard subscription, which handles all events.
    /// </summary>
    public required IReadOnlySet<Type> EventTypes { get; init; }

    public required FailurePolicy FailurePolicy { get; init; }

    /// <summary>The slots of this subscription. Each handler that runs holds one.</summary>
    public required ConcurrencyLimiter Slots { get; init; }

    public required TimeSpan HandlerTimeout { get; init; }

    /// <summary>The guards of its events; null for none.</summary>
    public OrderGuardEvaluator? Guard { get; init; }

    /// <summary>The claims of an idempotent subscription; null if it is not idempotent.</summary>
    public EventClaims? Claims { get; init; }

    /// <summary>
    /// True if the effects that a handler adds to its context run in the transaction that marks the event as handled.
    /// </summary>
    public bool HasTransactions => Claims is { HasTransactions: true };

    /// <summary>The circuit breaker; null when not configured.</summary>
    public SubscriptionCircuitBreaker? CircuitBreaker { get; init; }

    /// <summary>True if the subscription forwards the bytes of its events, so that they are not read.</summary>
    public bool ForwardsBytes { get; init; }

    /// <summary>The mark in the context of a delivery that has ended and never needed a state.</summary>
    public EndedDelivery Ended { get; }

    public string Name => Subscription.Name;

    /// <summary>True if the subscription handles events of all types, also unknown ones.</summary>
    public bool TakesAny => EventTypes.Count == 0;
}
