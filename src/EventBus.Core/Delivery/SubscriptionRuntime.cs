using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>One subscription as it was composed at start. Immutable.</summary>
internal sealed class SubscriptionRuntime
{
    public required Subscription Subscription { get; init; }

    public required Publisher Publisher { get; init; }

    public required IServiceScopeFactory Scopes { get; init; }

    /// <summary>Scope, middleware and handler, composed once.</summary>
    public required EventDelegate Pipeline { get; init; }

    /// <summary>The event types that it handles; empty for a wildcard subscription, which takes everything.</summary>
    public required IReadOnlySet<Type> EventTypes { get; init; }

    /// <summary>The one event type, where there is just one: what the quick way checks for.</summary>
    public required Type? OnlyType { get; init; }

    public required FailurePolicy Failure { get; init; }

    /// <summary>Held by whoever runs a handler of this subscription.</summary>
    public required ConcurrencyLimiter Slots { get; init; }

    public required TimeSpan HandlerTimeout { get; init; }

    /// <summary>The guards of its events; null for none.</summary>
    public OrderGuardEvaluator? Guard { get; init; }

    /// <summary>Lets each event be handled once; null where that was not asked for.</summary>
    public OnceStep? Once { get; init; }

    /// <summary>What is asked for with the context is done in the commit that marks the event done.</summary>
    public bool HasTransactions { get; init; }

    /// <summary>Pauses it when everything fails; null where that was not asked for.</summary>
    public SubscriptionCircuitBreaker? CircuitBreaker { get; init; }

    /// <summary>Nothing stands between an event and its handler that could not be asked at once, and nobody looks at its end.</summary>
    public bool IsPlain => Guard is null && CircuitBreaker is null && Once is not { IsQuick: false };

    public string Name => Subscription.Name;

    public bool TakesAny => EventTypes.Count == 0;
}
