namespace EventBus.Proof;

/// <summary>The properties of a dead letter that the checker uses.</summary>
internal readonly record struct Dead(long Number, DeadLetterReason Reason, int Attempts);
