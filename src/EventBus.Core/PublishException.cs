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

/// <summary>How a publish failed.</summary>
public enum PublishFailure
{
    /// <summary>Refused by a rule (size, headers, options, not started): publishing it again unchanged fails again. Nothing was sent.</summary>
    Rejected,

    /// <summary>Not accepted by the backend. Nothing was sent; publishing it again is safe.</summary>
    Failed,

    /// <summary>The backend's answer is missing: the event may have been delivered to some or all subscriptions. Publish it again with the same id.</summary>
    InDoubt,

    /// <summary>No subscription listens for it, and its type was declared with <c>RequireSubscriber()</c>.</summary>
    NoSubscriber,
}
