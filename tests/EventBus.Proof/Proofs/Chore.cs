namespace EventBus.Proof;

/// <summary>
/// An event that is handled without idempotency: its follow-up events are sent before it is acknowledged.
/// </summary>
[EventName("chore.begun")]
internal sealed record Chore(long Number);
