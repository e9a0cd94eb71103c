using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>An event that failed for one subscription, as a store keeps it. Immutable: every change is a new instance.</summary>
public sealed record FailedEvent
{
    /// <summary>The subscription that failed.</summary>
    public required string Subscription { get; init; }

    /// <summary>The event.</summary>
    public required Envelope Envelope { get; init; }

    /// <summary>Waiting, dead or parked.</summary>
    public required FailedEventStatus Status { get; init; }

    /// <summary>The key whose line the entry stands in; null outside ordered subscriptions.</summary>
    public string? LineKey { get; init; }

    /// <summary>How often the handler was started for this event since it came or was last revived.</summary>
    public int Starts { get; init; }

    /// <summary>When the next start is due. Meaningful while waiting.</summary>
    public DateTimeOffset DueAt { get; init; }

    /// <summary>When it failed first.</summary>
    public DateTimeOffset FirstFailedAt { get; init; }

    /// <summary>When it failed last.</summary>
    public DateTimeOffset LastFailedAt { get; init; }

    /// <summary>Why it is dead. Meaningful when dead.</summary>
    public DeadLetterReason Reason { get; init; }

    /// <summary>The last error in one line, at most 1,024 characters; null for none.</summary>
    public string? Error { get; init; }

    /// <summary>The last error with its stack trace, at most 8,192 characters; null where there is no more to say than <see cref="Error"/>.</summary>
    public string? ErrorDetails { get; init; }

    /// <summary>Identifies the entry: the same for the same event and subscription.</summary>
    public string Id => MakeId(Subscription, Envelope.EventId);

    /// <summary>Makes the id of an entry. Subscription names hold no tilde, so that it is unambiguous, and needs no escaping in a URL.</summary>
    /// <param name="subscription">The subscription's name.</param>
    /// <param name="eventId">The event's id.</param>
    public static string MakeId(string subscription, string eventId) => $"{subscription}~{eventId}";
}

/// <summary>Where a failed event stands.</summary>
public enum FailedEventStatus
{
    /// <summary>It will be started again.</summary>
    Waiting,

    /// <summary>It waits behind a failed event of its key, and was not started.</summary>
    Parked,

    /// <summary>It is a dead letter: people decide.</summary>
    Dead,
}
