namespace EventBus.Transports;

/// <summary>What became of one published event. The default value says in doubt, so that an outcome which was never written promises nothing.</summary>
public readonly record struct PublishOutcome
{
    private PublishOutcome(PublishStatus status, Exception? error = null)
    {
        Status = status;
        Error = error;
    }

    /// <summary>The backend has the event, as durably as it can.</summary>
    public static PublishOutcome Accepted => new(PublishStatus.Accepted);

    /// <summary>The backend took the event, and nobody listens for it.</summary>
    public static PublishOutcome Unrouted => new(PublishStatus.Unrouted);

    /// <summary>What became of it.</summary>
    public PublishStatus Status { get; }

    /// <summary>Why it was not accepted, in words that an operator can act on; null when it was.</summary>
    public Exception? Error { get; }

    /// <summary>The backend can never take this event as it is; it reached nobody.</summary>
    /// <param name="error">Why, and what to change.</param>
    public static PublishOutcome Rejected(Exception error) => new(PublishStatus.Rejected, error);

    /// <summary>The event certainly reached nobody; publishing it again may succeed. The bus does so until the deadline (<see cref="Transport.PublishAsync"/>).</summary>
    /// <param name="error">Why.</param>
    public static PublishOutcome Failed(Exception error) => new(PublishStatus.Failed, error);

    /// <summary>The event may have reached some or all subscriptions.</summary>
    /// <param name="error">Why nobody knows.</param>
    public static PublishOutcome InDoubt(Exception error) => new(PublishStatus.InDoubt, error);
}
