using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Defines the log messages about the backend, the instances of a service, and the shutdown.</summary>
/// <remarks>Log messages contain names and ids only: never a body, a header or a connection string.</remarks>
internal static partial class HostingLog
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

    [LoggerMessage(5, LogLevel.Warning, "Closing the backend failed or took too long")]
    public static partial void CloseFailed(this ILogger log, Exception exception);

    [LoggerMessage(
        6,
        LogLevel.Error,
        "{Failed} failed and {Delayed} delayed events were still kept when the bus stopped, and are lost: the store ({Store}) keeps "
            + "nothing beyond the process")]
    public static partial void StoreLostAtStop(this ILogger log, long failed, long delayed, string store);

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

    [LoggerMessage(32, LogLevel.Error, "Scheduled work ({Loop}) failed and is repeated")]
    public static partial void LoopFailed(this ILogger log, string loop, Exception exception);

    [LoggerMessage(33, LogLevel.Critical, "The loop {Loop} ended with an unexpected error")]
    public static partial void LoopEnded(this ILogger log, string loop, Exception exception);
}
