namespace EventBus.Transports;

/// <summary>
/// Describes the queue that a backend keeps for a subscription, including one that no application uses.
/// </summary>
/// <param name="Name">The name of the queue, or of the backend's equivalent.</param>
/// <param name="Consumers">
/// The number of receivers that consume it now. A backend may count only those that are active.
/// </param>
/// <param name="Waiting">The number of events that wait in it.</param>
/// <param name="Removal">
/// Instructions for removing it with the tools of the backend, if the application no longer exists.
/// </param>
public sealed record SubscriptionQueue(string Name, long Consumers, long Waiting, string Removal);
