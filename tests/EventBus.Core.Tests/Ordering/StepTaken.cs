namespace EventBus;

[EventName("step.taken")]
public sealed record StepTaken(string OrderId, int Number);
