namespace EventBus;

/// <summary>An event that failed permanently in one subscription.</summary>
public sealed record DeadLetter
{
    /// <summary>The id of the dead letter. The same event and subscription always have the same id.</summary>
    public required string Id { get; init; }

    /// <summary>The subscription that failed. Other subscriptions are not affected.</summary>
    public required string Subscription { get; init; }

    /// <summary>The event's id.</summary>
    public required string EventId { get; init; }

    /// <summary>The event's name.</summary>
    public required string EventName { get; init; }

    /// <summary>The event's key; null for none.</summary>
    public string? Key { get; init; }

    /// <summary>The headers that the publisher set.</summary>
    public required IReadOnlyDictionary<string, string> Headers { get; init; }

    /// <summary>The reason why the event became a dead letter.</summary>
    public required DeadLetterReason Reason { get; init; }

    /// <summary>
    /// The last error in one line: the type and message of the exception, or the defect of the message. Null for none.
    /// </summary>
    public string? Error { get; init; }

    /// <summary>
    /// The full name of the type of the last exception, at most 256 characters. Null if the last error is no exception
    /// of a handler, or if an earlier version of the library stored the dead letter.
    /// </summary>
    public string? ErrorType { get; init; }

    /// <summary>
    /// The last error with its stack trace; null if there is nothing to add to <see cref="Error"/>.
    /// </summary>
    public string? ErrorDetails { get; init; }

    /// <summary>The number of attempts since the event arrived or was last retried from the dead letters.</summary>
    public required int Attempts { get; init; }

    /// <summary>The time of the first failure.</summary>
    public required DateTimeOffset FirstFailedAt { get; init; }

    /// <summary>The time of the last failure.</summary>
    public required DateTimeOffset LastFailedAt { get; init; }

    /// <summary>The number of times an operator retried it.</summary>
    public int ManualRetries { get; init; }

    /// <summary>The latest failed attempts, oldest first, at most 16.</summary>
    public IReadOnlyList<FailedAttempt> History { get; init; } = [];

    /// <summary>
    /// A number that increases with each dead letter. To list the next page, pass the number of the last dead letter of
    /// a page as <see cref="DeadLetterFilter.Before"/>.
    /// </summary>
    public long Number { get; init; }

    /// <summary>
    /// The event as JSON, or the raw bytes of an event that could not be read. Empty if the event type cannot be
    /// serialized as JSON, or if the store could not keep the body.
    /// </summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>
    /// The original length of the body in bytes if <see cref="Body"/> is truncated
    /// (<see cref="EventBusOptions.MaxUnreadBodyBytes"/>, <see cref="EventBusOptions.MaxUnreadBytes"/>); null if it is
    /// complete. An event with a truncated body cannot be read: a retry ends in the same dead letter.
    /// </summary>
    public long? FullBodyLength { get; init; }
}
