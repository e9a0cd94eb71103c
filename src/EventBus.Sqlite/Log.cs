using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Every text that the stores in SQLite log. Names and ids only: never a body, a header or a connection string.</summary>
internal static partial class Log
{
    [LoggerMessage(401, LogLevel.Error, "An effect did not end when it was told to after {Timeout}. It is left alone, its event is not marked as handled, and the database is opened again. Effects must end when their token is cancelled")]
    public static partial void EffectAbandoned(this ILogger log, TimeSpan timeout);
}
