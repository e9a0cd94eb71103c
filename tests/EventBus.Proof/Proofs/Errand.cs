namespace EventBus.Proof;

/// <summary>An event that is handled idempotently: its follow-up events are committed with it.</summary>
[EventName("errand.begun")]
internal sealed record Errand(long Number);
