namespace EventBus.Stores;

/// <summary>Represents an alert about a dead letter that is to be sent.</summary>
/// <param name="Id">The dead letter's id.</param>
/// <param name="Number">The dead letter's number (<see cref="FailedEvent.Number"/>).</param>
/// <param name="Subscription">The subscription that failed.</param>
/// <param name="EventName">The event's name.</param>
public readonly record struct PendingAlert(string Id, long Number, string Subscription, string EventName);
