using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Logs the messages of the SQLite stores. Messages hold names and ids only: never a body, a header or a connection
/// string.
/// </summary>
internal static partial class Log
{
    [LoggerMessage(
        403,
        LogLevel.Error,
        "The SQLite database is damaged at the delayed event in row {Row} of the table {Prefix}delays ({Error}). The event is not "
            + "published, and remains in the file. Recover the file with '.recover' of the sqlite3 program. Logged once")]
    public static partial void DelayedDamaged(this ILogger log, long row, string prefix, string error);

    [LoggerMessage(
        402,
        LogLevel.Error,
        "The SQLite file {Path} {Reason}. The stores continue with the file that is at this path now, and create it if it is missing. "
            + "Retries, dead letters, delayed events, marks and sagas that the new file does not contain are not available")]
    public static partial void FileMoved(this ILogger log, string path, string reason);

    [LoggerMessage(
        401,
        LogLevel.Error,
        "An effect of a handler did not end when its token was cancelled after {Timeout}. The store no longer waits for it, does not "
            + "mark its event as handled, and opens the database again. Correct the effect: it must end when its token is cancelled")]
    public static partial void EffectAbandoned(this ILogger log, TimeSpan timeout);
}
