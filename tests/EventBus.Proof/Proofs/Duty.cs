namespace EventBus.Proof;

/// <summary>A job for another subscription.</summary>
[EventName("duty.queued")]
internal sealed record Duty(long Number, JobKind Kind);
