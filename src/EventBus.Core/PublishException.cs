namespace EventBus;

/// <summary>The exception that is thrown when an event was not accepted, or when its acceptance is in doubt.</summary>
public sealed class PublishException : EventBusException
{
    /// <summary>Creates the exception, for instance in a test of code that handles it.</summary>
    /// <param name="message">The message: the problem, its effect and its solution.</param>
    /// <param name="failure">The kind of failure.</param>
    /// <param name="eventId">The event's id; null if the event was rejected before it had one.</param>
    /// <param name="innerException">The exception that caused this one; null for none.</param>
    public PublishException(string message, PublishFailure failure, string? eventId, Exception? innerException = null)
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

    /// <summary>True once the failure is logged or counted.</summary>
    internal bool IsLogged { get; set; }
}
