namespace EventBus;

/// <summary>Why a delivery was not handled.</summary>
internal abstract record Failure;

/// <summary>The handler threw, or did not end in time.</summary>
internal sealed record Threw(Exception Exception) : Failure;

/// <summary>The event cannot be handled by anyone here; no handler was started.</summary>
internal sealed record Rejected(Rejection Rejection) : Failure;

/// <summary>The bus is stopping: it does not count.</summary>
internal sealed record Interrupted : Failure
{
    public static Interrupted Instance { get; } = new();
}

/// <summary>Why an event goes to the dead letters without its handler being started.</summary>
internal sealed record Rejection(DeadLetterReason Reason, string Error);
