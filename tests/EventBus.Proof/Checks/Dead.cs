namespace EventBus.Proof;

/// <summary>A dead letter, as far as the checker is concerned.</summary>
internal readonly record struct Dead(long Number, DeadLetterReason Reason, int Attempts);
