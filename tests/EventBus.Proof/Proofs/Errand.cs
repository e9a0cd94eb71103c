namespace EventBus.Proof;

/// <summary>Handled idempotently: what its handler publishes is committed with it.</summary>
[EventName("errand.begun")]
internal sealed record Errand(long Number);
