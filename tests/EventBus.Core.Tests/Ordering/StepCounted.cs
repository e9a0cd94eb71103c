namespace EventBus;

[EventName("step.counted")]
public sealed record StepCounted(long Number);
