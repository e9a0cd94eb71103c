namespace EventBus.Proof;

[EventName("question.asked")]
internal sealed record Question(long Number);
