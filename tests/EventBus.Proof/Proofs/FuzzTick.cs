namespace EventBus.Proof;

/// <summary>The event of the healthy subscription.</summary>
[EventName(FuzzProof.TickEvent)]
internal sealed record FuzzTick(long Number);
