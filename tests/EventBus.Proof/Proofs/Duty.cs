namespace EventBus.Proof;

/// <summary>A job of the second subscription.</summary>
[EventName("duty.queued")]
internal sealed record Duty(long Number, JobKind Kind);
