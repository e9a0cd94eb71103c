namespace EventBus.Proof;

/// <summary>Handled without that: what its handler publishes is sent before the event is acknowledged.</summary>
[EventName("chore.begun")]
internal sealed record Chore(long Number);
