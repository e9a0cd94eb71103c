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
    public required EventStep Pipeline { get; init; }

    /// <summary>The event types that it handles; empty for a wildcard subscription, which takes everything.</summary>
    public required IReadOnlySet<Type> EventTypes { get; init; }

    /// <summary>The one event type, where there is just one: what the quick way checks for.</summary>
    public required Type? OnlyType { get; init; }

    public required FailurePolicy Failure { get; init; }

    /// <summary>Held by whoever runs a handler of this subscription.</summary>
    public required HandlerSlots Slots { get; init; }

    public required TimeSpan HandlerTimeout { get; init; }

    public string Name => Subscription.Name;

    public bool TakesAny => EventTypes.Count == 0;
}
