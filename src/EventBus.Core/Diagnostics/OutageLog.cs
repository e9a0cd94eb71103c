using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Defines the log messages of outages, for the bus and its backends. They are in a separate class because the logger
/// that both use must not depend on the other log messages of the bus.
/// </summary>
internal static partial class OutageLog
{
    [LoggerMessage(
        38,
        LogLevel.Warning,
        "Failing since {Since:O}: {Count} further failures were not logged one by one. The last: {Activity}: {ErrorType}: {Error}")]
    public static partial void StillFailing(
        this ILogger log,
        DateTimeOffset since,
        long count,
        string activity,
        Type errorType,
        string error);

    [LoggerMessage(39, LogLevel.Information, "Recovered after {Count} failures in {Time}: {Activity}")]
    public static partial void OutageOver(this ILogger log, long count, TimeSpan time, string activity);

    [LoggerMessage(68, LogLevel.Debug, "The error of the failure that was just logged: {Activity}")]
    public static partial void FailureInFull(this ILogger log, string activity, Exception exception);

    [LoggerMessage(90, LogLevel.Debug, "An attempt failed, and is repeated after {Delay}; another entry reports the failure: {Activity}")]
    public static partial void AttemptFailed(this ILogger log, string activity, TimeSpan delay, Exception exception);
}
