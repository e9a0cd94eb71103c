namespace EventBus.Stores;

/// <summary>Defines the ages from which data is removed.</summary>
/// <param name="DeadBefore">Removes dead letters whose last failure was before this time; null keeps all.</param>
/// <param name="AttemptsBefore">Removes attempt counts that were last changed before this time.</param>
/// <param name="OrderBefore">Removes order keys that were last changed before this time.</param>
public sealed record SweepLimits(DateTimeOffset? DeadBefore, DateTimeOffset AttemptsBefore, DateTimeOffset OrderBefore);
