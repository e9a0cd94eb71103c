namespace EventBus.Proof;

[EventName("payment.received")]
internal sealed record Payment(long Number);
