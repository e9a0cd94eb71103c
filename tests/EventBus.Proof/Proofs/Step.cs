namespace EventBus.Proof;

[EventName("step.taken")]
internal sealed record Step(int Key, long Number);
