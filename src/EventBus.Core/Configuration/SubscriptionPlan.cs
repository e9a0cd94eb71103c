using EventBus.Transports;

namespace EventBus;

/// <summary>One subscription that was checked, with the settings that hold for it.</summary>
/// <param name="Model">As it was registered.</param>
/// <param name="Handlers">One for each event type.</param>
/// <param name="Options">The settings.</param>
/// <param name="Subscription">As transports see it.</param>
internal sealed record SubscriptionPlan(SubscriptionRegistration Model, IReadOnlyList<HandlerRegistration> Handlers, SubscriptionOptions Options, Subscription Subscription);
