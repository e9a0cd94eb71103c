namespace EventBus.Proof;

[EventName("job.queued")]
internal sealed record Job(long Number, JobKind Kind);
