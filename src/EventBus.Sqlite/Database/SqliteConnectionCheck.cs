using Microsoft.Data.Sqlite;

namespace EventBus;

/// <summary>
/// Finds the connection strings with which the stores cannot work, whether they say it with a keyword or with a
/// parameter of a URI. No error contains the connection string.
/// </summary>
internal static class SqliteConnectionCheck
{
    private const string InMemory = ":memory:";

    /// <exception cref="ArgumentException">The stores cannot be kept in this database.</exception>
    public static void Run(SqliteConnectionStringBuilder connection)
    {
        var uri = SqliteUri.Matches(connection.DataSource) ? SqliteUri.Parse(connection.DataSource) : null;
        var path = uri is null ? connection.DataSource : Uri.UnescapeDataString(uri.Path);
        if (path.Length == 0
            || path.Equals(InMemory, StringComparison.OrdinalIgnoreCase)
            || connection.Mode == SqliteOpenMode.Memory
            || uri?.Has("mode", "memory") == true
            || uri?.Has("vfs", "memdb") == true)
        {
            throw new ArgumentException("The connection string given to StoreInSqlite(...) names no file, so that nothing would be kept. "
                + "Write 'Data Source=' and a file, or use bus.StoreInMemory().");
        }

        if (connection.Mode == SqliteOpenMode.ReadOnly || uri?.Has("mode", "ro") == true || uri?.Has("immutable") == true)
        {
            throw new ArgumentException(
                "The connection string given to StoreInSqlite(...) opens the file only for reading (Mode=ReadOnly, or mode=ro or immutable "
                    + "in a URI), but the stores must write. Remove that.");
        }

        if (connection.Cache == SqliteCacheMode.Shared || uri?.Has("cache", "shared") == true)
        {
            throw new ArgumentException(
                "The connection string given to StoreInSqlite(...) contains Cache=Shared (cache=shared in a URI), which lets readers block "
                    + "writers. Remove it.");
        }
    }
}
