namespace EventBus.Proof;

[EventName("answer.given")]
internal sealed record Answer(long Number, int Copy);
