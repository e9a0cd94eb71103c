namespace EventBus;

/// <summary>The event cannot be handled in this application; the handler was not called.</summary>
internal sealed record Rejected(Rejection Rejection) : Failure;
