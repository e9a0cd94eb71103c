using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace EventBus;

/// <summary>
/// Detects that the file of an open connection was deleted, moved or replaced. Data written to such a file is lost when
/// the connection is closed.
/// </summary>
internal static partial class SqliteFileCheck
{
    private const string Library = "e_sqlite3";

    // SQLITE_FCNTL_HAS_MOVED of the C interface: reports whether the file was moved, renamed or deleted.
    private const int FileControlHasMoved = 20;

    // True if the file control can be used. It cannot if the application uses another build of SQLite: then only a
    // missing file is detected, not a replaced one. On Windows neither happens, because an open file cannot be deleted.
    private static readonly bool HasFileControl = IsBundledSqlite();

    /// <summary>
    /// Returns text that says how the file of a connection was changed; null if the connection can still be used.
    /// </summary>
    public static string? ChangeOf(SqliteConnection connection)
    {
        var path = raw.sqlite3_db_filename(connection.Handle, "main").utf8_to_string();
        if (!File.Exists(path))
        {
            return "was deleted or moved away while the stores used it";
        }

        if (!HasFileControl)
        {
            return null;
        }

        var hasMoved = 0;
        var result = sqlite3_file_control(connection.Handle!, 0, FileControlHasMoved, ref hasMoved);
        return result == raw.SQLITE_OK && hasMoved != 0 ? "was replaced by another file while the stores used it" : null;
    }

    /// <summary>
    /// Returns true if the write-ahead log that the connection has written to no longer exists at its path.
    /// </summary>
    public static bool IsLogMissing(SqliteConnection connection) =>
        !File.Exists($"{raw.sqlite3_db_filename(connection.Handle, "main").utf8_to_string()}-wal");

    private static bool IsBundledSqlite()
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
