using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Defines the log messages of the bus. They contain names and ids only: never a body, a header or a connection string.
/// </summary>
internal static partial class Log
{
    [LoggerMessage(
        3,
        LogLevel.Warning,
        "The shutdown timeout of {Budget} expired with work in flight: handlers are cancelled, and unfinished events are released to the "
            + "backend")]
    public static partial void DrainTimedOut(this ILogger log, TimeSpan budget);

    [LoggerMessage(
        4,
        LogLevel.Error,
        "{Deliveries} deliveries were still queued or in a handler when the bus stopped, and are lost: {System} keeps nothing beyond the "
            + "process")]
    public static partial void LostAtStop(this ILogger log, long deliveries, string system);

    [LoggerMessage(
        6,
        LogLevel.Error,
        "{Failed} failed and {Delayed} delayed events were still kept when the bus stopped, and are lost: the store ({Store}) keeps "
            + "nothing beyond the process")]
    public static partial void StoreLostAtStop(this ILogger log, long failed, long delayed, string store);

    [LoggerMessage(5, LogLevel.Warning, "Closing the backend failed or took too long")]
    public static partial void CloseFailed(this ILogger log, Exception exception);

    [LoggerMessage(
        7,
        LogLevel.Information,
        "{System} delivers an event only to instances that are connected at that moment, and keeps none: events are lost while this "
            + "instance is disconnected or cannot keep up. Retries and dead letters exist only for events that arrived")]
    public static partial void Lossy(this ILogger log, string system);

    [LoggerMessage(
        8,
        LogLevel.Warning,
        "{Subscription} is idempotent, and {System} loses events: it handles an event once, or never. Use a backend that keeps events "
            + "(docs/guarantees.md) where each of them counts")]
    public static partial void LossyIdempotent(this ILogger log, string subscription, string system);

    [LoggerMessage(
        9,
        LogLevel.Warning,
        "{Subscription} has a guard, and {System} loses events: what the guard waits for may never arrive, and those behind it become "
            + "dead letters when their time is up. Use a backend that keeps events (docs/guarantees.md)")]
    public static partial void LossyGuarded(this ILogger log, string subscription, string system);

    [LoggerMessage(
        10,
        LogLevel.Warning,
        "No subscription matches {EventName}: such events are accepted and delivered nowhere. Logged once for each name; declare the "
            + "type with RequireSubscriber() to make it an error")]
    public static partial void NoSubscription(this ILogger log, string eventName);

    [LoggerMessage(
        11,
        LogLevel.Warning,
        "An event {EventName} has {Bytes} bytes as JSON, more than {WarnBytes}. Logged once for each type. Events carry ids, not whole "
            + "objects")]
    public static partial void LargeEvent(this ILogger log, string eventName, int bytes, int warnBytes);

    [LoggerMessage(
        12,
        LogLevel.Warning,
        "The delayed event {EventName} {EventId} could not be published now; it stays in the store and is tried again")]
    public static partial void DelayedPublishFailed(this ILogger log, string eventName, string eventId, Exception exception);

    [LoggerMessage(
        13,
        LogLevel.Error,
        "The delayed event {EventName} {EventId} was not delivered: no subscription matches it, although its type requires a subscriber")]
    public static partial void DelayedWithoutSubscriber(this ILogger log, string eventName, string eventId, Exception exception);

    [LoggerMessage(
        20,
        LogLevel.Warning,
        "{Subscription} failed to handle {EventName} {EventId} in attempt {Attempt}; the next attempt is due at {DueAt:O}")]
    public static partial void WillRetry(
        this ILogger log,
        string subscription,
        string eventName,
        string eventId,
        int attempt,
        DateTimeOffset dueAt,
        Exception? exception);

    [LoggerMessage(
        21,
        LogLevel.Critical,
        "{Subscription} failed for good on {EventName} {EventId} ({Reason}, {Attempts} attempts); it is kept as dead letter "
            + "{DeadLetterId}: {Error}")]
    public static partial void DeadLettered(
        this ILogger log,
        string subscription,
        string eventName,
        string eventId,
        DeadLetterReason reason,
        int attempts,
        string deadLetterId,
        string? error,
        Exception? exception);

    [LoggerMessage(
        22,
        LogLevel.Error,
        "The alert {Alert} failed for {Count} dead letters, the first of them {DeadLetterId}; it is sent again later")]
    public static partial void AlertFailed(this ILogger log, Type alert, int count, string deadLetterId, Exception exception);

    [LoggerMessage(
        23,
        LogLevel.Warning,
        "{Subscription} failed on {EventName} {EventId}, which is kept as failed already or was taken over by another instance; nothing "
            + "is recorded twice")]
    public static partial void KeptAlready(this ILogger log, string subscription, string eventName, string eventId, Exception? exception);

    [LoggerMessage(
        36,
        LogLevel.Information,
        "{EventName} {EventId} was claimed by {Subscription} and not started before the stop, and the store did not accept its release: "
            + "it is delivered again when its lease has expired")]
    public static partial void NotReleased(this ILogger log, string subscription, string eventName, string eventId, Exception exception);

    [LoggerMessage(
        27,
        LogLevel.Debug,
        "{Subscription} lets {EventName} {EventId} wait for an earlier event of its key, until {Deadline:O} at most")]
    public static partial void Deferred(this ILogger log, string subscription, string eventName, string eventId, DateTimeOffset deadline);

    [LoggerMessage(
        28,
        LogLevel.Warning,
        "{Count} failed events that this instance was handling were taken over by another, because their leases were not renewed in time")]
    public static partial void ClaimsLost(this ILogger log, int count);

    [LoggerMessage(29, LogLevel.Information, "{Count} dead letters were older than the retention and are removed")]
    public static partial void Expired(this ILogger log, int count);

    [LoggerMessage(24, LogLevel.Information, "Dead letter {DeadLetterId} is retried")]
    public static partial void Retried(this ILogger log, string deadLetterId);

    [LoggerMessage(37, LogLevel.Information, "{Count} dead letters are due for a manual retry, each with all retries available again")]
    public static partial void RetriedAll(this ILogger log, int count);

    [LoggerMessage(25, LogLevel.Information, "Dead letter {DeadLetterId} is discarded: {Reason}")]
    public static partial void Discarded(this ILogger log, string deadLetterId, string reason);

    [LoggerMessage(
        26,
        LogLevel.Error,
        "The failure store did not take a write (attempt {Attempt}); the event stays unacknowledged, and the write is repeated after "
            + "{Backoff}")]
    public static partial void StoreDown(this ILogger log, int attempt, TimeSpan backoff, Exception exception);

    [LoggerMessage(
        70,
        LogLevel.Error,
        "The store has no room for what {Subscription} adds (attempt {Attempt}); the subscription takes no events until it has, and the "
            + "write is repeated after {Backoff}")]
    public static partial void NoRoom(this ILogger log, string subscription, int attempt, TimeSpan backoff, Exception exception);

    [LoggerMessage(
        71,
        LogLevel.Error,
        "The store did not take the entry of {Subscription} for {EventName} {EventId} (attempt {Attempt}), but takes other writes; only "
            + "this subscription waits, and the write is repeated after {Backoff}")]
    public static partial void EntryHeld(
        this ILogger log,
        string subscription,
        string eventName,
        string eventId,
        int attempt,
        TimeSpan backoff,
        Exception exception);

    [LoggerMessage(
        72,
        LogLevel.Error,
        "The store cannot take the entry of {Subscription} for {EventName} {EventId}; a reduced entry was written instead")]
    public static partial void WrittenReduced(this ILogger log, string subscription, string eventName, string eventId, Exception exception);

    [LoggerMessage(
        73,
        LogLevel.Error,
        "The store cannot carry out a step for {Subscription} and {EventName} {EventId}; the event is processed without it")]
    public static partial void StepLeftOut(this ILogger log, string subscription, string eventName, string eventId, Exception exception);

    [LoggerMessage(
        74,
        LogLevel.Warning,
        "The lease of {EventName} {EventId}, which {Subscription} is handling, was not renewed; the others were tried without it")]
    public static partial void NotRenewed(this ILogger log, string subscription, string eventName, string eventId, Exception exception);

    [LoggerMessage(75, LogLevel.Error, "The store could not return the due entries of {Subscription}; the other subscriptions continue")]
    public static partial void NotClaimed(this ILogger log, string subscription, Exception exception);

    [LoggerMessage(
        76,
        LogLevel.Error,
        "The alert of dead letter {DeadLetterId} cannot be marked as sent; it may be sent again after a restart")]
    public static partial void NotMarked(this ILogger log, string deadLetterId, Exception exception);

    [LoggerMessage(
        77,
        LogLevel.Error,
        "The delayed event {EventName} {EventId} was published, and the store did not remove it: it is published again, with the same "
            + "id, when its lease is over")]
    public static partial void DelayedNotRemoved(this ILogger log, string eventName, string eventId, Exception exception);

    [LoggerMessage(
        30,
        LogLevel.Warning,
        "A handler of {Subscription} for {EventName} {EventId} did not end after its token was cancelled and was abandoned; it may still "
            + "be running")]
    public static partial void HandlerLeftBehind(this ILogger log, string subscription, string eventName, string eventId);

    [LoggerMessage(
        34,
        LogLevel.Error,
        "{Subscription} is paused: {Count} consecutive attempts failed within {Time}. It takes no events until a probe with one event "
            + "succeeds, the first at {ProbeAt:O}")]
    public static partial void Paused(this ILogger log, string subscription, int count, TimeSpan time, DateTimeOffset probeAt);

    [LoggerMessage(35, LogLevel.Information, "{Subscription} is resumed: an event succeeded")]
    public static partial void Resumed(this ILogger log, string subscription);

    [LoggerMessage(
        88,
        LogLevel.Warning,
        "{Subscription} is paused by an operator on this instance. It takes no events until it is resumed")]
    public static partial void PausedByOperator(this ILogger log, string subscription);

    [LoggerMessage(89, LogLevel.Information, "{Subscription} is resumed by an operator")]
    public static partial void ResumedByOperator(this ILogger log, string subscription);

    [LoggerMessage(31, LogLevel.Error, "{Subscription} could not settle {EventName} {EventId}; the backend delivers it again")]
    public static partial void SettleFailed(this ILogger log, string subscription, string eventName, string eventId, Exception exception);

    [LoggerMessage(32, LogLevel.Error, "Scheduled work ({Loop}) failed and is repeated in a second")]
    public static partial void LoopFailed(this ILogger log, string loop, Exception exception);

    [LoggerMessage(33, LogLevel.Critical, "The loop {Loop} ended with an unexpected error")]
    public static partial void LoopDied(this ILogger log, string loop, Exception exception);

    [LoggerMessage(
        40,
        LogLevel.Warning,
        "The saga {Saga} {SagaId} failed at {Step} ({Direction}), attempt {Attempt}; the next attempt is due at {DueAt:O}")]
    public static partial void SagaWillRetry(
        this ILogger log,
        string saga,
        string sagaId,
        string step,
        string direction,
        int attempt,
        DateTimeOffset dueAt,
        Exception exception);

    [LoggerMessage(
        41,
        LogLevel.Warning,
        "The saga {Saga} {SagaId} failed for good at {Step} after {Attempts} attempts, and is compensated")]
    public static partial void SagaCompensates(
        this ILogger log,
        string saga,
        string sagaId,
        string step,
        int attempts,
        Exception? exception);

    [LoggerMessage(
        42,
        LogLevel.Critical,
        "The saga {Saga} {SagaId} needs attention at {Step}: {Error}. Retry, skip or finish it (SagaManager)")]
    public static partial void SagaNeedsAttention(
        this ILogger log,
        string saga,
        string sagaId,
        string? step,
        string? error,
        Exception? exception);

    [LoggerMessage(43, LogLevel.Debug, "The saga {Saga} {SagaId} ended: {Status}")]
    public static partial void SagaEnded(this ILogger log, string saga, string sagaId, string status);

    [LoggerMessage(
        44,
        LogLevel.Information,
        "The reply {EventName} {EventId} for the saga {Saga} {SagaId} is ignored: the saga does not, or no longer, wait for it")]
    public static partial void SagaReplyIgnored(this ILogger log, string eventName, string eventId, string saga, string sagaId);

    [LoggerMessage(
        45,
        LogLevel.Warning,
        "The saga {Saga} {SagaId} was taken over by another instance, because its lease was not renewed in time")]
    public static partial void SagaLost(this ILogger log, string saga, string sagaId);

    [LoggerMessage(
        46,
        LogLevel.Error,
        "The store did not take a write of the saga {Saga} {SagaId} (attempt {Attempt}); the saga stands still, and the write is "
            + "repeated after {Backoff}")]
    public static partial void SagaNotSaved(
        this ILogger log,
        string saga,
        string sagaId,
        int attempt,
        TimeSpan backoff,
        Exception exception);

    [LoggerMessage(
        47,
        LogLevel.Warning,
        "The step {Step} of the saga {Saga} {SagaId} did not end after its token was cancelled and was abandoned; it may still be running")]
    public static partial void SagaStepLeftBehind(this ILogger log, string saga, string sagaId, string step);

    [LoggerMessage(
        48,
        LogLevel.Warning,
        "The saga {Saga} {SagaId} is left to a newer version of the application: its state has version {StateVersion}, and this one "
            + "knows {KnownVersion}")]
    public static partial void SagaIsNewer(this ILogger log, string saga, string sagaId, int stateVersion, int knownVersion);

    [LoggerMessage(
        49,
        LogLevel.Warning,
        "The events of the saga {Saga} {SagaId} could not be sent; the saga stands still, and they are sent again at {DueAt:O}")]
    public static partial void SagaEventsWait(this ILogger log, string saga, string sagaId, DateTimeOffset dueAt, Exception exception);

    [LoggerMessage(50, LogLevel.Information, "The saga {Saga} {SagaId} is retried")]
    public static partial void SagaRetried(this ILogger log, string saga, string sagaId);

    [LoggerMessage(51, LogLevel.Information, "The saga {Saga} {SagaId} continues without {Step}: {Reason}")]
    public static partial void SagaSkipped(this ILogger log, string saga, string sagaId, string? step, string reason);

    [LoggerMessage(52, LogLevel.Information, "The saga {Saga} {SagaId} is finished by an operator: {Reason}")]
    public static partial void SagaFinished(this ILogger log, string saga, string sagaId, string reason);

    [LoggerMessage(53, LogLevel.Warning, "The clock jumped by {Jump}; sagas that wait for replies are given {Grace} more")]
    public static partial void ClockJumped(this ILogger log, TimeSpan jump, TimeSpan grace);

    [LoggerMessage(
        55,
        LogLevel.Error,
        "The saga {Saga} {SagaId} has ended, and its event {EventName} {EventId} is dropped: it can never be sent as it is")]
    public static partial void SagaEventDropped(
        this ILogger log,
        string saga,
        string sagaId,
        string eventName,
        string eventId,
        Exception exception);

    [LoggerMessage(
        56,
        LogLevel.Warning,
        "{Count} sagas of the store have not ended and are of names that this application does not register, so that they are not "
            + "resumed. Register them under their earlier names: bus.AddSaga<TSaga, TState>(\"...\")")]
    public static partial void SagasUnknown(this ILogger log, long count);

    [LoggerMessage(54, LogLevel.Warning, "{Count} sagas had not ended when the bus stopped, and are lost with the stores {Store}")]
    public static partial void SagasLostAtStop(this ILogger log, long count, string store);

    [LoggerMessage(
        14,
        LogLevel.Information,
        "The store of this bus is {Store}, which instances on other machines do not reach, and {System} shares the subscriptions of a "
            + "service among all its instances: run one instance, or give all of them one store that they share (bus.StoreInRedis(...))")]
    public static partial void StoreIsPrivate(this ILogger log, string store, string system);

    [LoggerMessage(
        15,
        LogLevel.Warning,
        "Other instances consume {Subscriptions} of this service and do not share its store, which is {Store}: an idempotent "
            + "subscription handles an event twice, and each instance has its own dead letters, order and sagas. Give all instances one "
            + "store that they share (bus.StoreInRedis(...)), or run one instance only")]
    public static partial void ForeignConsumers(this ILogger log, string subscriptions, string store);

    [LoggerMessage(16, LogLevel.Information, "All instances that consume the subscriptions of this service share its store again")]
    public static partial void ForeignConsumersGone(this ILogger log);

    [LoggerMessage(
        17,
        LogLevel.Warning,
        "No instance of this service consumes the queue {Queue} of the subscription {Subscription}, which this instance does not "
            + "register: events wait in it without limit ({Waiting} now). It was last in use at {LastSeen:O}. If it is no longer used, "
            + "call {Removal}. It is not removed automatically; logged once")]
    public static partial void SubscriptionLeftBehind(
        this ILogger log,
        string queue,
        string subscription,
        long waiting,
        DateTimeOffset lastSeen,
        string removal);

    [LoggerMessage(
        18,
        LogLevel.Warning,
        "No instance of the service {Service}, which uses the same store, has consumed the queue {Queue} since {LastSeen:O}: events wait "
            + "in it without limit ({Waiting} now). If that service was renamed or removed: {Removal}. It is not removed automatically; "
            + "logged once")]
    public static partial void ServiceLeftBehind(
        this ILogger log,
        string service,
        string queue,
        DateTimeOffset lastSeen,
        long waiting,
        string removal);

    [LoggerMessage(
        81,
        LogLevel.Error,
        "A predicate given to DeadLetterOn(...) threw for an exception of the type {ExceptionType}. The exception counts as not permanent")]
    public static partial void DeadLetterPredicateFailed(this ILogger log, Type exceptionType, Exception exception);
}
