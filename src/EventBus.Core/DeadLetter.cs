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
    public required int Starts { get; init; }

    /// <summary>When it failed first.</summary>
    public required DateTimeOffset FirstFailedAt { get; init; }

    /// <summary>When it failed last.</summary>
    public required DateTimeOffset LastFailedAt { get; init; }

    /// <summary>How often people had it retried.</summary>
    public int Replays { get; init; }

    /// <summary>The latest failed starts, oldest first, at most 16.</summary>
    public IReadOnlyList<FailedStart> History { get; init; } = [];

    /// <summary>Rises with each dead letter: where a listing continues (<see cref="DeadLetterFilter.Before"/>).</summary>
    public long Number { get; init; }

    /// <summary>The event as JSON, or the raw bytes of what could not be read; empty where the type cannot be written as JSON.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>The length in bytes that the body had, where <see cref="Body"/> is only its beginning (<see cref="EventBusOptions.MaxUnreadBodyBytes"/>); null where it is whole. What was cut cannot be read: a retry ends in the same dead letter.</summary>
    public long? FullBodyLength { get; init; }
}

/// <summary>One start of a handler that failed.</summary>
/// <param name="Start">Which start, 1 for the first.</param>
/// <param name="At">When it failed.</param>
/// <param name="Error">The error in one line.</param>
public sealed record FailedStart(int Start, DateTimeOffset At, string Error);

/// <summary>Why an event became a dead letter.</summary>
public enum DeadLetterReason
{
    /// <summary>The handler failed, also on the last retry.</summary>
    HandlerFailed,

    /// <summary>The handler threw an exception that was declared permanent: retrying is pointless.</summary>
    PermanentFailure,

    /// <summary>The message could not be read: malformed, too deep, or not JSON.</summary>
    Unreadable,

    /// <summary>The application knows no event of this name and version.</summary>
    UnknownEvent,

    /// <summary>The message is larger than the limit.</summary>
    TooLarge,

    /// <summary>Too many events wait behind a failed event of the same key.</summary>
    KeyBlocked,

    /// <summary>An order guard let it wait for an event that did not come in time.</summary>
    OutOfOrder,

    /// <summary>The process ended while the handler ran, at every start that is allowed.</summary>
    ProcessEnded,

    /// <summary>An event with the same id but other content was handled before: its publisher gives one id to different events.</summary>
    IdReused,

    /// <summary>No event: a saga that cannot go on without people. Only alerts have it; the subscription is the saga's name, the event id its id (<see cref="ISagas"/>).</summary>
    SagaNeedsAttention,

    /// <summary>The store cannot write or read it as it is. What could be kept of it is kept; <see cref="DeadLetter.Error"/> says what was left out.</summary>
    Unstorable,

    /// <summary>The broker itself gave it up: it expired, its queue was full, or a consumer rejected it. <see cref="DeadLetter.Error"/> has the broker's reason.</summary>
    DroppedByBroker,

    /// <summary>A delayed event that was refused for good when its time had come. Its subscription is <c>eventbus/delayed</c>; a retry publishes it.</summary>
    Unpublishable,
}

/// <summary>Which dead letters are meant.</summary>
public sealed record DeadLetterFilter
{
    /// <summary>Only this subscription. Default all.</summary>
    public string? Subscription { get; init; }

    /// <summary>Only this event name. Default all.</summary>
    public string? EventName { get; init; }

    /// <summary>Only this event id. Default all.</summary>
    public string? EventId { get; init; }

    /// <summary>Only this reason. Default all.</summary>
    public DeadLetterReason? Reason { get; init; }

    /// <summary>Only those that died before the dead letter with this <see cref="DeadLetter.Number"/>: the last of the page before. Default the latest.</summary>
    public long? Before { get; init; }

    /// <summary>How many to list, 1 to 1,000. Default 100.</summary>
    public int Take { get; init; } = 100;
}
