using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Defines the log messages about events that are forwarded to another bus.</summary>
/// <remarks>Log messages contain names and ids only: never a body, a header or a connection string.</remarks>
internal static partial class ForwardLog
{
    [LoggerMessage(
        96,
        LogLevel.Warning,
        "{Subscription} forwards events to {Bus} in no particular order, because {System} keeps none. If the order of each key matters, "
            + "choose a backend that keeps it (docs/guarantees.md)")]
    public static partial void ForwardUnorderedByBackend(this ILogger log, string subscription, string bus, string system);

    [LoggerMessage(
        97,
        LogLevel.Warning,
        "{Subscription} forwards events to {Bus} in no particular order, because the store of this bus keeps nothing by key. If the order "
            + "of each key matters, add a store that does (bus.StoreInSqlite(...), bus.StoreInRedis(...), bus.StoreInMemory())")]
    public static partial void ForwardUnorderedByStore(this ILogger log, string subscription, string bus);
}
