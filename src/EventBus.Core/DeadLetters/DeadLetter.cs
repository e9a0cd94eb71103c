namespace EventBus;

/// <summary>An event that failed for good in one subscription.</summary>
public sealed record DeadLetter
{
    /// <summary>Identifies the dead letter: the same whenever the same event fails for the same subscription.</summary>
    public required string Id { get; init; }

    /// <summary>The subscription that failed. The others are not affected.</summary>
    public required string Subscription { get; init; }

    /// <summary>The event's id.</summary>
    public required string EventId { get; init; }

    /// <summary>The event's name.</summary>
    public required string EventName { get; init; }

    /// <summary>The event's key; null for none.</summary>
    public string? Key { get; init; }

    /// <summary>The user's headers.</summary>
    public required IReadOnlyDictionary<string, string> Headers { get; init; }

    /// <summary>Why it is here.</summary>
    public required DeadLetterReason Reason { get; init; }

    /// <summary>The last error in one line: the exception's type and message, or what is wrong with the message. Null for none.</summary>
    public string? Error { get; init; }

    /// <summary>The last error with its stack trace; null where there is no more to say than <see cref="Error"/>.</summary>
    public string? ErrorDetails { get; init; }

    /// <summary>How often the handler was started.</summary>
    public required int Attempts { get; init; }

    /// <summary>When it failed first.</summary>
    public required DateTimeOffset FirstFailedAt { get; init; }

    /// <summary>When it failed last.</summary>
    public required DateTimeOffset LastFailedAt { get; init; }

    /// <summary>How often people had it retried.</summary>
    public int ManualRetries { get; init; }

    /// <summary>The latest failed starts, oldest first, at most 16.</summary>
    public IReadOnlyList<FailedAttempt> History { get; init; } = [];

    /// <summary>Rises with each dead letter: where a listing continues (<see cref="DeadLetterFilter.Before"/>).</summary>
    public long Number { get; init; }

    /// <summary>The event as JSON, or the raw bytes of what could not be read; empty where the type cannot be written as JSON.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>The length in bytes that the body had, where <see cref="Body"/> is only its beginning (<see cref="EventBusOptions.MaxUnreadBodyBytes"/>); null where it is whole. What was cut cannot be read: a retry ends in the same dead letter.</summary>
    public long? FullBodyLength { get; init; }
}
