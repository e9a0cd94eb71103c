namespace EventBus.Stores;

/// <summary>How old something must be to be swept.</summary>
/// <param name="DeadBefore">Dead letters that failed last before this time; null to keep all.</param>
/// <param name="AttemptsBefore">Counted starts that were last counted before this time.</param>
/// <param name="OrderBefore">Order keys at which nothing has happened since this time.</param>
public sealed record SweepLimits(DateTimeOffset? DeadBefore, DateTimeOffset AttemptsBefore, DateTimeOffset OrderBefore);
