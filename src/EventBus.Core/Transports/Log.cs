using Microsoft.Extensions.Logging;

namespace EventBus.Transports;

/// <summary>What an outage logs, for the bus and its backends alike: beside the logger of both, which must not depend on what the bus logs.</summary>
internal static partial class Log
{
    [LoggerMessage(38, LogLevel.Warning, "{Count} more failures, not logged one by one, of what fails since {Since:O}. The last: {Activity}: {ErrorType}: {Error}")]
    public static partial void StillFailing(this ILogger log, long count, DateTimeOffset since, string activity, Type errorType, string error);

    [LoggerMessage(39, LogLevel.Information, "What failed works again, after {Count} failures in {Time}: {Activity}")]
    public static partial void OutageOver(this ILogger log, long count, TimeSpan time, string activity);
}
