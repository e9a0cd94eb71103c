using EventBus.Transports;

namespace EventBus;

/// <summary>Contains one checked subscription and its effective settings.</summary>
/// <param name="Registration">The registration.</param>
/// <param name="Handlers">The handlers, one for each event type.</param>
/// <param name="Settings">The effective settings.</param>
/// <param name="Subscription">The subscription as passed to the transport.</param>
internal sealed record SubscriptionPlan(
    SubscriptionRegistration Registration,
    IReadOnlyList<HandlerRegistration> Handlers,
    SubscriptionSettings Settings,
    Subscription Subscription);
