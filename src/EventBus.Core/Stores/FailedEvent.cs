using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>
/// Represents the stored form of an event that one subscription has not handled: the event failed, or it waits for
/// another event of its key. Immutable: every change creates a new instance.
/// </summary>
public sealed record FailedEvent
{
    /// <summary>The maximum number of attempts in the <see cref="History"/>: 16.</summary>
    public const int MaxHistory = 16;

    /// <summary>The subscription that has not handled the event.</summary>
    public required string Subscription { get; init; }

    /// <summary>The event.</summary>
    public required Envelope Envelope { get; init; }

    /// <summary>The status: waiting, parked, dead or deferred.</summary>
    public required FailedEventStatus Status { get; init; }

    /// <summary>
    /// The key of the line in which the entry waits: a failed event of a key, and the events that wait behind it. Null
    /// if the entry is in no line.
    /// </summary>
    public string? LineKey { get; init; }

    /// <summary>The key that the order guard uses; null without a guard.</summary>
    public string? OrderKey { get; init; }

    /// <summary>The event's number within <see cref="OrderKey"/>, if the guard uses numbers; otherwise null.</summary>
    public long? Position { get; init; }

    /// <summary>The number of attempts since the event arrived, or since its last retry by an operator.</summary>
    public int Attempts { get; init; }

    /// <summary>
    /// The number of <see cref="Attempts"/> that ended with the process while another redelivered event was running,
    /// which may have ended the process instead. Reset to 0 when an attempt ends in any other way. Valid only if
    /// <see cref="WasInterrupted"/> is true.
    /// </summary>
    public int Concurrent { get; init; }

    /// <summary>The number of retries that operators requested.</summary>
    public int ManualRetries { get; init; }

    /// <summary>
    /// The time at which the next attempt is due. A deferred entry is evaluated by its guard again at this time, if no
    /// event of its key makes it due earlier. Valid only if the entry is waiting or deferred.
    /// </summary>
    public DateTimeOffset DueAt { get; init; }

    /// <summary>The time at which a deferred entry becomes a dead letter; null if it was never deferred.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The time of the first failure or deferral.</summary>
    public DateTimeOffset FirstFailedAt { get; init; }

    /// <summary>The time of the last failure.</summary>
    public DateTimeOffset LastFailedAt { get; init; }

    /// <summary>
    /// The reason why the entry became a dead letter. It remains after an operator has requested a retry. Valid only if
    /// the entry is dead or <see cref="ManualRetries"/> is above zero.
    /// </summary>
    public DeadLetterReason Reason { get; init; }

    /// <summary>The last error in one line, at most 1,024 characters; null for none.</summary>
    public string? Error { get; init; }

    /// <summary>
    /// The full name of the type of the last exception, at most 256 characters; null if the last error is no exception
    /// of a handler.
    /// </summary>
    public string? ErrorType { get; init; }

    /// <summary>
    /// The last error with its stack trace, at most 8,192 characters; null if it adds nothing to <see cref="Error"/>.
    /// </summary>
    public string? ErrorDetails { get; init; }

    /// <summary>The latest failed attempts, oldest first, at most <see cref="MaxHistory"/>.</summary>
    public IReadOnlyList<FailedAttempt> History { get; init; } = [];

    /// <summary>
    /// The number of the claim under which the caller holds the entry. The store assigns it, and it increases with each
    /// claim; 0 for an event that comes from a transport.
    /// </summary>
    public long Claim { get; init; }

    /// <summary>
    /// True if the previous claim was never settled: the process that held it has probably ended during the handler.
    /// Set by the store.
    /// </summary>
    public bool WasInterrupted { get; init; }

    /// <summary>
    /// A number that increases with each entry of the store that becomes a dead letter. A listing continues from it.
    /// Assigned by the store; 0 if the entry is not dead.
    /// </summary>
    public long Number { get; init; }

    /// <summary>True if an alert for this dead letter is still to be sent.</summary>
    public bool NeedsAlert { get; init; }

    /// <summary>The id of the entry: the same for the same event and subscription.</summary>
    public string Id => MakeId(Subscription, Envelope.Id);

    /// <summary>
    /// Creates the id of an entry. Subscription names contain no tilde, so that the id is unambiguous. The separator
    /// needs no escaping in a URL.
    /// </summary>
    /// <param name="subscription">The subscription's name.</param>
    /// <param name="eventId">The event's id.</param>
    public static string MakeId(string subscription, string eventId) => $"{subscription}~{eventId}";
}
