namespace EventBus.Stores;

/// <summary>What a store knows of one key of a guarded subscription.</summary>
/// <param name="Stamp">Rises whenever an event of the key was dealt with; 0 for an unknown key.</param>
/// <param name="Position">The highest number that was dealt with; null for none.</param>
public readonly record struct OrderState(long Stamp, long? Position);
