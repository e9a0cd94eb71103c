using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Defines the log messages about the start and the end of a bus. They are in a separate class because the first use of
/// a class prepares all its messages: with further messages, that would delay the start.
/// </summary>
internal static partial class LifecycleLog
{
    [LoggerMessage(1, LogLevel.Information, "The event bus {Service} started on {System} with {Subscriptions} subscriptions")]
    public static partial void Started(this ILogger log, string service, string system, int subscriptions);

    [LoggerMessage(
        80,
        LogLevel.Warning,
        "The service provider was disposed of while the event bus was running. The bus ends without waiting for its handlers: they are "
            + "cancelled, a durable backend redelivers unfinished events, and a backend in memory loses them. Unfinished deliveries: "
            + "{Unfinished} (0 if the backend does not count them). Stop the host first (await host.StopAsync()), or dispose of the "
            + "provider with await (DisposeAsync)")]
    public static partial void DisposedRunning(this ILogger log, long unfinished);

    [LoggerMessage(2, LogLevel.Information, "The event bus stopped")]
    public static partial void Stopped(this ILogger log);
}
