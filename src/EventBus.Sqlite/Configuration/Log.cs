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
        "The SQLite database is damaged at the delayed event in row {Row} of {Prefix}delays: it is not published, and stays for a "
            + "recovery of the file. Logged once: {Error}")]
    public static partial void DelayedDamaged(this ILogger log, long row, string prefix, string error);

    [LoggerMessage(
        402,
        LogLevel.Error,
        "The SQLite file {Path} {What}. Its contents are out of reach unless the file now under that path has them: retries, dead "
            + "letters, delayed events, marks and sagas. The stores continue with that file, and create it if it is missing")]
    public static partial void FileMoved(this ILogger log, string path, string what);

    [LoggerMessage(
        401,
        LogLevel.Error,
        "An effect did not end when its token was cancelled after {Timeout}. It is abandoned, its event is not marked as handled, and "
            + "the database is opened again. Effects must end when their token is cancelled")]
    public static partial void EffectAbandoned(this ILogger log, TimeSpan timeout);
}
