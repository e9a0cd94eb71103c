namespace EventBus.Proof;

[EventName("transfer.made")]
internal sealed record Transfer(long Number);
