using EventBus.Stores;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Detects that the file or its write-ahead log was deleted, moved or replaced while the stores use it. Thread-safe.
/// </summary>
/// <param name="path">The path of the file, for the texts.</param>
/// <param name="log">The log.</param>
internal sealed class SqliteFileWatch(string path, ILogger log)
{
    // The last change of the file that was logged; null after the file was opened again.
    private string? loggedChange;

    /// <summary>Records that the file was opened again, so that its next change is logged.</summary>
    public void RecordOpened() => Volatile.Write(ref loggedChange, null);

    /// <summary>
    /// Returns the reason why data written by the session would be lost; null if it would not be. Logs that reason
    /// once.
    /// </summary>
    public StoreRefusedException? Check(SqlSession session)
    {
        if (SqliteFileCheck.ChangeOf((SqliteConnection)session.Connection) is not { } reason)
        {
            return null;
        }

        if (Interlocked.Exchange(ref loggedChange, reason) is null)
        {
            log.FileMoved(path, reason);
        }

        return new StoreRefusedException(StoreScope.Store, $"The SQLite database '{path}' {reason}. It is opened again.");
    }

    /// <summary>
    /// Returns a text for operators if the write-ahead log of the session was deleted; null if it was not.
    /// </summary>
    public string? ProblemOf(SqlSession session) =>
        session.HasWritten && SqliteFileCheck.IsLogMissing((SqliteConnection)session.Connection)
            ? $"The write-ahead log of the SQLite database '{path}' was deleted while the stores use it. Stop every process "
                + "that uses the database: the last one saves the data of the log. Then start them again."
            : null;
}
