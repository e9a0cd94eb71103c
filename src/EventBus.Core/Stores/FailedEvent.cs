using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>An event that failed for one subscription or waits for its turn there, as a store keeps it. Immutable: every change is a new instance.</summary>
public sealed record FailedEvent
{
    /// <summary>How many of its latest starts an entry remembers: 16.</summary>
    public const int MaxHistory = 16;

    /// <summary>The subscription that failed.</summary>
    public required string Subscription { get; init; }

    /// <summary>The event.</summary>
    public required Envelope Envelope { get; init; }

    /// <summary>Waiting, parked, dead or deferred.</summary>
    public required FailedEventStatus Status { get; init; }

    /// <summary>The key whose line the entry stands in; null outside lines.</summary>
    public string? LineKey { get; init; }

    /// <summary>The key under which an order guard judges it; null without a guard.</summary>
    public string? OrderKey { get; init; }

    /// <summary>Its number within <see cref="OrderKey"/>, where the guard counts; null otherwise.</summary>
    public long? Position { get; init; }

    /// <summary>How often the handler was started for this event since it came or was last revived.</summary>
    public int Attempts { get; init; }

    /// <summary>Of <see cref="Attempts"/>, those that ended with the process while another event that may have ended it was running too; 0 once a start has ended in another way. Meaningful while <see cref="WasInterrupted"/>.</summary>
    public int Concurrent { get; init; }

    /// <summary>How often people revived it.</summary>
    public int ManualRetries { get; init; }

    /// <summary>When the next start is due; for a deferred entry, when to judge it again at the latest. Meaningful while waiting or deferred.</summary>
    public DateTimeOffset DueAt { get; init; }

    /// <summary>When a deferred entry is given up; null where it was never deferred.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>When it failed or was deferred first.</summary>
    public DateTimeOffset FirstFailedAt { get; init; }

    /// <summary>When it failed last.</summary>
    public DateTimeOffset LastFailedAt { get; init; }

    /// <summary>Why it is dead, or was when people revived it. Meaningful when dead, or when <see cref="ManualRetries"/> is above zero.</summary>
    public DeadLetterReason Reason { get; init; }

    /// <summary>The last error in one line, at most 1,024 characters; null for none.</summary>
    public string? Error { get; init; }

    /// <summary>The last error with its stack trace, at most 8,192 characters; null where there is no more to say than <see cref="Error"/>.</summary>
    public string? ErrorDetails { get; init; }

    /// <summary>The latest failed starts, oldest first, at most <see cref="MaxHistory"/>.</summary>
    public IReadOnlyList<FailedAttempt> History { get; init; } = [];

    /// <summary>The claim under which the caller holds it, given by the store and higher with each claim; 0 for an event that comes from a transport.</summary>
    public long Claim { get; init; }

    /// <summary>The claim before this one was never settled: whoever held it has probably died in the handler. Given by the store.</summary>
    public bool WasInterrupted { get; init; }

    /// <summary>Rises with each entry of the store that dies: where a listing continues. Given by the store; 0 while alive.</summary>
    public long Number { get; init; }

    /// <summary>People must be told that it is dead.</summary>
    public bool NeedsAlert { get; init; }

    /// <summary>Identifies the entry: the same for the same event and subscription.</summary>
    public string Id => MakeId(Subscription, Envelope.EventId);

    /// <summary>Makes the id of an entry. Subscription names hold no tilde, so that it is unambiguous, and needs no escaping in a URL.</summary>
    /// <param name="subscription">The subscription's name.</param>
    /// <param name="eventId">The event's id.</param>
    public static string MakeId(string subscription, string eventId) => $"{subscription}~{eventId}";
}
