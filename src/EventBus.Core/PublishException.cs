namespace EventBus;

/// <summary>The exception that is thrown when an event was not accepted, or when its acceptance is in doubt.</summary>
public sealed class PublishException : EventBusException
{
    internal PublishException(string message, PublishFailure failure, string? eventId, Exception? innerException = null)
        : base(message, innerException)
    {
        Failure = failure;
        EventId = eventId;
    }

    /// <summary>The kind of failure: the event certainly was not delivered, or it may have been.</summary>
    public PublishFailure Failure { get; }

    /// <summary>
    /// The event's id; null if the event was rejected before it had one. To publish the same event again, set
    /// <see cref="PublishOptions.EventId"/> to it.
    /// </summary>
    public string? EventId { get; }
}
