namespace EventBus.Proof;

[EventName(SignalSource.EventName)]
internal sealed record Signal(long Number);
