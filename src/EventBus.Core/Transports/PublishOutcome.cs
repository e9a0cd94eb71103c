namespace EventBus.Transports;

/// <summary>
/// Represents the outcome of one published event. The default value is in doubt, so that an outcome that was never
/// written is not taken for success.
/// </summary>
public readonly record struct PublishOutcome
{
    private PublishOutcome(PublishStatus status, Exception? error = null)
    {
        Status = status;
        Error = error;
    }

    /// <summary>The backend has accepted the event, as durably as it can.</summary>
    public static PublishOutcome Accepted => new(PublishStatus.Accepted);

    /// <summary>The backend accepted the event, but no subscription receives it.</summary>
    public static PublishOutcome Unrouted => new(PublishStatus.Unrouted);

    /// <summary>The kind of outcome.</summary>
    public PublishStatus Status { get; }

    /// <summary>
    /// The reason that the event was not accepted, with what an operator can do; null if it was accepted, and in the
    /// default value.
    /// </summary>
    public Exception? Error { get; }

    /// <summary>The backend can never accept this event unchanged. No subscription received it.</summary>
    /// <param name="error">The reason, and what to change.</param>
    public static PublishOutcome Rejected(Exception error) => new(PublishStatus.Rejected, error);

    /// <summary>
    /// The event certainly reached no subscription; publishing it again may succeed. The bus does so until the deadline
    /// (<see cref="Transport.PublishAsync"/>).
    /// </summary>
    /// <param name="error">The reason.</param>
    public static PublishOutcome Failed(Exception error) => new(PublishStatus.Failed, error);

    /// <summary>The event may have reached some or all subscriptions.</summary>
    /// <param name="error">The reason for the doubt.</param>
    public static PublishOutcome InDoubt(Exception error) => new(PublishStatus.InDoubt, error);
}
