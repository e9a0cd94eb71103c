using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Defines the log messages about the backend, the instances of a service, and the shutdown.</summary>
/// <remarks>Log messages contain names and ids only: never a body, a header or a connection string.</remarks>
internal static partial class HostingLog
{
    [LoggerMessage(
        3,
        LogLevel.Warning,
        "Work was still in flight when the drain timeout of {DrainTimeout} expired or the host ended the stop: handlers are cancelled, "
            + "and unfinished events are released to the backend")]
    public static partial void DrainTimedOut(this ILogger log, TimeSpan drainTimeout);

    [LoggerMessage(
        4,
        LogLevel.Error,
        "{Deliveries} deliveries were still queued or in a handler when the bus stopped. They are lost, because {System} stores nothing "
            + "outside the process")]
    public static partial void LostAtStop(this ILogger log, long deliveries, string system);

    [LoggerMessage(5, LogLevel.Warning, "Closing the backend failed or took too long")]
    public static partial void CloseFailed(this ILogger log, Exception exception);

    [LoggerMessage(
        6,
        LogLevel.Error,
        "{Failed} failed and {Delayed} delayed events were still stored when the bus stopped. They are lost, because the store ({Store}) "
            + "ends with the process")]
    public static partial void StoreLostAtStop(this ILogger log, long failed, long delayed, string store);

    [LoggerMessage(
        7,
        LogLevel.Information,
        "{System} delivers an event only to instances that are connected when it is published, and stores no events. Events are lost "
            + "while this instance is disconnected or too slow. Only events that have arrived are retried or become dead letters")]
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
        "{Subscription} has a guard, and {System} loses events: if an event that the guard waits for is lost, the waiting events become "
            + "dead letters when their deadline has passed. Use a backend that keeps events (docs/guarantees.md)")]
    public static partial void LossyGuarded(this ILogger log, string subscription, string system);

    [LoggerMessage(
        14,
        LogLevel.Information,
        "{System} shares the subscriptions of a service among all its instances, so that all of them need the same store, and that of "
            + "this bus ({Store}) cannot be used on other machines. Instances on one machine can share a file of SQLite. For more machines "
            + "configure one store that all instances share (bus.StoreInRedis(...))")]
    public static partial void StoreIsPrivate(this ILogger log, string store, string system);

    [LoggerMessage(
        15,
        LogLevel.Warning,
        "Other instances consume {Subscriptions} of this service and do not share its store, which is {Store}: an idempotent "
            + "subscription handles an event twice, and each instance has its own dead letters, order and sagas. Give all instances one "
            + "store that they share (bus.StoreInRedis(...); on one machine also the same file of SQLite), or run one instance only")]
    public static partial void UnknownConsumers(this ILogger log, string subscriptions, string store);

    [LoggerMessage(16, LogLevel.Information, "All instances that consume the subscriptions of this service share its store again")]
    public static partial void UnknownConsumersGone(this ILogger log);

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

    [LoggerMessage(32, LogLevel.Error, "The background task '{Loop}' failed and is repeated")]
    public static partial void LoopFailed(this ILogger log, string loop, Exception exception);

    [LoggerMessage(79, LogLevel.Debug, "The background task '{Loop}' failed while the bus was stopping, and has ended")]
    public static partial void LoopFailedInStop(this ILogger log, string loop, Exception exception);

    [LoggerMessage(
        33,
        LogLevel.Critical,
        "The background task '{Loop}' ended with an unexpected error and does not continue. Restart this instance")]
    public static partial void LoopEnded(this ILogger log, string loop, Exception exception);

    [LoggerMessage(
        78,
        LogLevel.Warning,
        "Failed and repeated every 10 s: {Activity}. Until it succeeds, these metrics are not reported, and events are not affected")]
    public static partial void StateNotRead(this ILogger log, string activity, Exception exception);
}
