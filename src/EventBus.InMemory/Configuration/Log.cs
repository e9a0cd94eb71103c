using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Defines the log messages of the in-memory stores. They contain names and counts only.</summary>
internal static partial class Log
{
    [LoggerMessage(
        501,
        LogLevel.Warning,
        "The in-memory store holds {Count} {Kind} of {Subscription}, and has room for {Capacity}. When it is full, the subscription takes "
            + "no events until there is room. {Advice}, raise InMemoryOptions.StoreCapacity, or use a durable store. This is logged again "
            + "only after the usage was below 70 %")]
    public static partial void StoreShort(this ILogger log, string subscription, int count, string kind, int capacity, string advice);
}
