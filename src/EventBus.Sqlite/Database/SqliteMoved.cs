using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace EventBus;

/// <summary>
/// Checks that the file of a connection is still the file at its path. Data written to a deleted or replaced file is
/// lost when the connection is closed.
/// </summary>
internal static partial class SqliteMoved
{
    private const string Library = "e_sqlite3";
    private const int HasMoved = 20;

    // With another build of SQLite, only a missing file is detected. Windows refuses to delete a file that is open.
    private static readonly bool CanAsk = IsUsual();

    /// <summary>Gets the reason why the connection can no longer be used; null if it can be used.</summary>
    public static string? Of(SqliteConnection connection)
    {
        var path = raw.sqlite3_db_filename(connection.Handle, "main").utf8_to_string();
        var moved = 0;
        return !File.Exists(path) ? "was deleted or moved away while the stores used it"
            : CanAsk
                && sqlite3_file_control(connection.Handle!, 0, HasMoved, ref moved) == raw.SQLITE_OK
                && moved != 0 ? "was replaced by another file while the stores used it"
            : null;
    }

    /// <summary>
    /// Returns true if the write-ahead log that the connection has written to no longer exists at its path.
    /// </summary>
    public static bool IsLogMissing(SqliteConnection connection) =>
        !File.Exists($"{raw.sqlite3_db_filename(connection.Handle, "main").utf8_to_string()}-wal");

    private static bool IsUsual()
    {
        try
        {
            return raw.GetNativeLibraryName() == Library;
        }
        catch (Exception)
        {
            // The application uses a SQLite provider of its own.
            return false;
        }
    }

    [LibraryImport(Library)]
    private static partial int sqlite3_file_control(sqlite3 database, nint name, int operation, ref int value);
}
