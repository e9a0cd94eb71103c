namespace EventBus.Proof;

/// <summary>The follow-up event of some fuzz messages.</summary>
[EventName("follow.sent")]
internal sealed record FuzzFollowUp(long Number);
