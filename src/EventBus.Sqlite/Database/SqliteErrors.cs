using EventBus.Stores;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace EventBus;

/// <summary>Explains the errors of SQLite.</summary>
/// <param name="path">The path of the file, for the texts.</param>
/// <param name="busyTimeout">The time for which SQLite waits for a lock.</param>
internal sealed class SqliteErrors(string path, TimeSpan busyTimeout)
{
    /// <summary>
    /// Converts an error of SQLite into an exception that says what went wrong, which part of the store it concerns and
    /// what to do. Returns other exceptions unchanged.
    /// </summary>
    public Exception Explain(Exception exception) =>
        exception is SqliteException { SqliteErrorCode: var code } ? Explain(code, exception) : exception;

    private Exception Explain(int code, Exception exception) =>
        code switch
        {
            raw.SQLITE_FULL =>
                Refused("has no room left, and nothing was written. Free space on its disk, or raise its max_page_count.", exception),

            // A refusal: nothing was written, because a transaction takes the write lock when it begins.
            raw.SQLITE_BUSY or raw.SQLITE_LOCKED => Refused(
                $"is locked by another process that has been writing for longer than {busyTimeout}. End that transaction, or raise "
                    + "SqliteStoreOptions.BusyTimeout.",
                exception),
            raw.SQLITE_CANTOPEN =>
                Refused("cannot be opened. Check that its folder exists, and that this process may write there.", exception),
            raw.SQLITE_NOTADB => Refused(
                "is not a SQLite database, or is encrypted with another password. Name another file in StoreInSqlite(...), or move this "
                    + "one away.",
                exception),
            raw.SQLITE_READONLY or raw.SQLITE_PERM or raw.SQLITE_AUTH =>
                Refused("cannot be written by this process. Grant it write access to the file and its folder.", exception),
            raw.SQLITE_TOOBIG or raw.SQLITE_MISMATCH or raw.SQLITE_CONSTRAINT or raw.SQLITE_RANGE =>
                new StoreRefusedException(
                    StoreScope.Entry,
                    $"The SQLite database '{path}' cannot keep this entry: {exception.Message}",
                    exception),

            // The damage may concern one page or the whole file, and after a failure of the disk it is unknown what was
            // written. So neither error is a refusal of the store: the bus tests what the store still accepts.
            raw.SQLITE_CORRUPT =>
                Failed("is damaged. Restore it from a backup, or recover what is left with '.recover' of the sqlite3 program.", exception),
            raw.SQLITE_IOERR => Failed("cannot be read or written. Check its disk.", exception),
            _ => Failed($"refused a statement: {exception.Message}", exception),
        };

    private StoreRefusedException Refused(string what, Exception cause) =>
        new(StoreScope.Store, $"The SQLite database '{path}' {what}", cause);

    private EventBusException Failed(string what, Exception cause) => new($"The SQLite database '{path}' {what}", cause);
}
