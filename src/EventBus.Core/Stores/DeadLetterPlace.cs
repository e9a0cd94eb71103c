namespace EventBus.Stores;

/// <summary>Identifies a dead letter and its position in the listing.</summary>
/// <param name="Id">The dead letter's id.</param>
/// <param name="Number">The dead letter's number (<see cref="FailedEvent.Number"/>).</param>
public readonly record struct DeadLetterPlace(string Id, long Number);
