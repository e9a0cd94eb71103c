namespace EventBus;

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
