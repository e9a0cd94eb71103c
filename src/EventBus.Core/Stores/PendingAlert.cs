namespace EventBus.Stores;

/// <summary>An alert that is to be sent.</summary>
/// <param name="Id">The dead letter's id.</param>
/// <param name="Number">Its number.</param>
/// <param name="Subscription">The subscription that failed.</param>
/// <param name="EventName">The event's name.</param>
public readonly record struct PendingAlert(string Id, long Number, string Subscription, string EventName);
