namespace EventBus.Stores;

/// <summary>Where a dead letter stands.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Number">Its number.</param>
public readonly record struct DeadLetterPlace(string Id, long Number);
