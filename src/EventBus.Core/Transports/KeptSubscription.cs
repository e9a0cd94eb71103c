namespace EventBus.Transports;

/// <summary>What a backend keeps for a subscription, whether or not an application still has it.</summary>
/// <param name="Queue">The name of the queue, or of what the backend has in its place.</param>
/// <param name="Consumers">How many receivers consume it now. A backend may count only those that are active.</param>
/// <param name="Waiting">How many events wait in it.</param>
/// <param name="Removal">How it is removed with the tools of the backend, where the application is gone.</param>
public sealed record KeptSubscription(string Queue, long Consumers, long Waiting, string Removal);
