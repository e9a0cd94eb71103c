using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Logs the messages of the SQLite stores. Messages hold names and ids only: never a body, a header or a connection
/// string.
/// </summary>
internal static partial class Log
{
    [LoggerMessage(403, LogLevel.Error, "The SQLite database is damaged at the delayed event in row {Row} of {Prefix}delays: it is not published, and stays for a recovery of the file. Said once: {Error}")]
    public static partial void DelayedDamaged(this ILogger log, long row, string prefix, string error);

    [LoggerMessage(402, LogLevel.Error, "The SQLite file {Path} {What}. What it held and is not in the file under that path now is out of reach: retries, dead letters, delayed events, marks and sagas. The stores go on with that file, and make it where it is missing")]
    public static partial void FileMoved(this ILogger log, string path, string what);

    [LoggerMessage(401, LogLevel.Error, "An effect did not end when it was told to after {Timeout}. It is left alone, its event is not marked as handled, and the database is opened again. Effects must end when their token is cancelled")]
    public static partial void EffectAbandoned(this ILogger log, TimeSpan timeout);
}
