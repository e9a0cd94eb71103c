namespace EventBus;

/// <summary>The reason why an event became a dead letter.</summary>
public enum DeadLetterReason
{
    /// <summary>The handler failed in every attempt, including the last retry.</summary>
    HandlerFailed,

    /// <summary>The handler threw an exception that was declared permanent, so that a retry cannot succeed.</summary>
    PermanentFailure,

    /// <summary>
    /// The message could not be read: it is malformed, nested too deeply, or not JSON; or an upcast of it failed.
    /// </summary>
    Unreadable,

    /// <summary>
    /// The application has no event of this name and version, or no upcast leads from it to a type that the
    /// subscription handles.
    /// </summary>
    UnknownEvent,

    /// <summary>The message is larger than <see cref="EventBusOptions.MaxBodyBytes"/>.</summary>
    TooLarge,

    /// <summary>
    /// Too many events of the same key wait: behind a failed event or, with an order guard, for an earlier event.
    /// </summary>
    KeyBlocked,

    /// <summary>
    /// An order guard deferred the event, and the earlier event that it waited for did not arrive in time.
    /// </summary>
    OutOfOrder,

    /// <summary>The process ended while the handler ran, in every attempt that is allowed.</summary>
    ProcessEnded,

    /// <summary>
    /// An event with the same id and different content was handled before: the publisher uses one id for different
    /// events.
    /// </summary>
    IdReused,

    /// <summary>
    /// A saga cannot continue without an operator. This is not an event; the reason occurs only in alerts. The
    /// subscription is the name of the saga, and the event id is the id of the saga (<see cref="SagaManager"/>).
    /// </summary>
    SagaNeedsAttention,

    /// <summary>
    /// The store cannot write or read the event as it is. The parts that could be stored are kept;
    /// <see cref="DeadLetter.Error"/> says which parts are missing.
    /// </summary>
    Unstorable,

    /// <summary>
    /// The broker removed the event: it expired, its queue was full, or a consumer rejected it. On Kafka it stands for
    /// all events that the retention removed together before they were read.
    /// <see cref="DeadLetter.Error"/> contains the reason that the broker gave.
    /// </summary>
    DroppedByBroker,

    /// <summary>
    /// A delayed event was permanently refused when it became due. Its subscription is <c>eventbus/delayed</c>; a retry
    /// publishes it.
    /// </summary>
    Unpublishable,
}
