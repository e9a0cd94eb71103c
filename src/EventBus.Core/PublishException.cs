namespace EventBus;

/// <summary>An event was not, or perhaps not, accepted.</summary>
public sealed class PublishException : EventBusException
{
    internal PublishException(string message, PublishFailure failure, string? eventId, Exception? innerException = null)
        : base(message, innerException)
    {
        Failure = failure;
        EventId = eventId;
    }

    /// <summary>Whether the event certainly went nowhere, or may have been delivered.</summary>
    public PublishFailure Failure { get; }

    /// <summary>The event's id, to publish it again as the same event (<see cref="PublishOptions.EventId"/>); null if it was refused before it had one.</summary>
    public string? EventId { get; }
}
