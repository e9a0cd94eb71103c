namespace EventBus.Stores;

/// <summary>The state of one key of a guarded subscription in a store.</summary>
/// <param name="Stamp">A number that increases whenever an event of the key was settled; 0 for an unknown key.</param>
/// <param name="Position">The highest number that was settled; null for none.</param>
public readonly record struct OrderState(long Stamp, long? Position);
