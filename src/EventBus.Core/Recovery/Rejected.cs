namespace EventBus;

/// <summary>The event cannot be handled by anyone here; no handler was started.</summary>
internal sealed record Rejected(Rejection Rejection) : Failure;
