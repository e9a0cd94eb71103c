namespace EventBus.Transports;

/// <summary>The events of a subscription that the backend holds for all instances of the application.</summary>
/// <param name="Subscription">The name of the subscription.</param>
/// <param name="Waiting">The number of events that were not delivered yet; null if it is not known.</param>
/// <param name="InFlight">
/// The number of events that were delivered and are not acknowledged; null if it is not known.
/// </param>
/// <param name="Consumers">
/// The number of receivers that consume it now; null if it is not known. A backend may count only those that are
/// active.
/// </param>
public readonly record struct SubscriptionBacklog(string Subscription, long? Waiting, long? InFlight, int? Consumers);
