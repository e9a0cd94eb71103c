using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Creates the logger of the Redis backend, and defines its log messages about the server, the connection and the keys.
/// The messages of the backend contain names and ids, never a body, a header or a connection string.
/// </summary>
internal static partial class Log
{
    /// <summary>Creates the logger of the backend from the application's services.</summary>
    public static ILogger Create(IServiceProvider services) =>
        BackendLog.Create(services.GetService<ILoggerFactory>(), "EventBus.Redis", services.GetService<TimeProvider>());

    [LoggerMessage(
        201,
        LogLevel.Warning,
        "Redis writes no append-only file (appendonly no): accepted events are lost when Redis stops. Set appendonly yes")]
    public static partial void NoAppendOnlyFile(this ILogger log);

    /// <summary>Logs that a check is not possible.</summary>
    /// <param name="log">The log.</param>
    /// <param name="question">
    /// The question that the check would have answered; begins with "whether" or "which".
    /// </param>
    /// <param name="commands">The commands of Redis that the check needs.</param>
    [LoggerMessage(
        224,
        LogLevel.Information,
        "The bus cannot check {Question}: {Commands} gave no usable answer in Redis. Perhaps the user has no right to it. Everything "
            + "else works")]
    public static partial void NotChecked(this ILogger log, string question, string commands);

    [LoggerMessage(
        225,
        LogLevel.Information,
        "The user has no right to access the keys of the delayed events in Redis: this instance can neither delay events nor publish "
            + "delayed events that are due. Other instances that have this right publish them")]
    public static partial void DelaysDenied(this ILogger log);

    [LoggerMessage(
        210,
        LogLevel.Warning,
        "Redis at {Address} is out of reach: {Cause}. The bus starts without it and tries to connect again. Until it is connected, it "
            + "receives and stores nothing, and publishing fails")]
    public static partial void StartedDegraded(this ILogger log, string address, string cause);

    [LoggerMessage(
        238,
        LogLevel.Warning,
        "Redis at {Address} removes keys when its memory is full (maxmemory-policy {Policy}, maxmemory {MaxMemory}, where 0 is no limit): "
            + "events, retries, dead letters and sagas would be lost without an error. Set maxmemory-policy noeviction, and use another "
            + "Redis for a cache")]
    public static partial void EvictsKeys(this ILogger log, string address, string policy, string maxMemory);

    [LoggerMessage(
        223,
        LogLevel.Error,
        "The bus cannot use its key {Key}, and treats it as empty: {Refusal}. Delete or rename a key of another type, or grant the user "
            + "the right to this key")]
    public static partial void KeyUnusable(this ILogger log, string key, string refusal);

    [LoggerMessage(219, LogLevel.Error, "Redis was reached, but the bus cannot work with it: {Reason}")]
    public static partial void ServerRejected(this ILogger log, string reason);

    [LoggerMessage(
        228,
        LogLevel.Warning,
        "The bus cannot connect, because it got the address of no primary from {Sentinels}. It asks them again")]
    public static partial void NoPrimary(this ILogger log, string sentinels, Exception exception);
}
