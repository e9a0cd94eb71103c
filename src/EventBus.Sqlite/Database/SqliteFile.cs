using System.Data.Common;
using EventBus.Stores;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace EventBus;

/// <summary>Opens the connections to a SQLite file, and explains the errors of SQLite.</summary>
internal sealed class SqliteFile
{
    private const string UriScheme = "file:";
    private const string DataDirectory = "|DataDirectory|";

    private readonly SqliteConnectionStringBuilder connection;
    private readonly TimeSpan busyTimeout;

    public SqliteFile(string connectionString, SqliteStoreOptions options)
    {
        try
        {
            connection = new SqliteConnectionStringBuilder(connectionString);
        }
        catch (ArgumentException)
        {
            // The original message quotes the keyword that was not recognized, which may be part of the password.
            throw new ArgumentException(
                "The connection string given to StoreInSqlite(...) is not one of SQLite. Write 'Data Source=' and a file, and quotes "
                    + "around a value that holds a semicolon.",
                nameof(connectionString));
        }

        busyTimeout = options.BusyTimeout;
        Validate();
        connection.Pooling = false;

        // In seconds. The client itself retries for at least this time, after SQLite has waited for the busy_timeout
        // that OpenAsync sets.
        connection.DefaultTimeout = 1;
    }

    private SqliteFile(SqliteConnectionStringBuilder connection, TimeSpan busyTimeout)
    {
        this.connection = connection;
        this.busyTimeout = busyTimeout;
    }

    /// <summary>
    /// Gets the path of the file as it is opened. A URI is returned without its parameters, because one of them may be
    /// a key.
    /// </summary>
    public string Path => IsUri(connection.DataSource) ? connection.DataSource.Split('?')[0] : connection.DataSource;

    /// <summary>
    /// Returns the same file with its full path. The connections are opened at different times, and the application may
    /// change its current directory in between: all of them must open the same file.
    /// </summary>
    /// <exception cref="ArgumentException">
    /// The path begins with <c>|DataDirectory|</c>, and the application has not set that directory.
    /// </exception>
    public SqliteFile WithFullPath() =>
        new(new SqliteConnectionStringBuilder(connection.ConnectionString) { DataSource = FullPath(connection.DataSource) }, busyTimeout);

    /// <summary>Opens the file for writing, and creates it if it does not exist.</summary>
    public async ValueTask<SqliteConnection> OpenWriterAsync()
    {
        var opened = await OpenAsync("PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA journal_size_limit = 67108864;");
        using var command = opened.CreateCommand();
        command.CommandText = "PRAGMA journal_mode = WAL";
        if (await command.ExecuteScalarAsync() is "wal")
        {
            return opened;
        }

        await opened.DisposeAsync();
        throw new EventBusException(
            $"The SQLite database '{Path}' cannot keep a write-ahead log, which the stores need. Put it on a local disk.");
    }

    public ValueTask<SqliteConnection> OpenReaderAsync() => OpenAsync("PRAGMA query_only = ON;");

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
                    $"The SQLite database '{Path}' cannot keep this entry: {exception.Message}",
                    exception),

            // The damage may concern one page or the whole file, and after a failure of the disk it is unknown what was
            // written. So neither error is a refusal of the store: the bus tests what the store still accepts.
            raw.SQLITE_CORRUPT =>
                Failed("is damaged. Restore it from a backup, or recover what is left with '.recover' of the sqlite3 program.", exception),
            raw.SQLITE_IOERR => Failed("cannot be read or written. Check its disk.", exception),
            _ => Failed($"refused a statement: {exception.Message}", exception),
        };

    private static bool IsUri(string source) => source.StartsWith(UriScheme, StringComparison.OrdinalIgnoreCase);

    /// <summary>Resolves a path in the same way as the client and SQLite do when they open it.</summary>
    private static string FullPath(string source)
    {
        if (IsUri(source))
        {
            var path = source[UriScheme.Length..];
            if (System.IO.Path.IsPathRooted(path))
            {
                return source;
            }

            // A path in a URI is escaped.
            var folders = Environment.CurrentDirectory.TrimEnd('/', '\\').Split('/', '\\').Select(Uri.EscapeDataString);
            return $"{UriScheme}{string.Join('/', folders)}/{path}";
        }

        var folder = AppContext.GetData("DataDirectory") as string ?? "";
        if (source.StartsWith(DataDirectory, StringComparison.OrdinalIgnoreCase))
        {
            if (folder.Length == 0)
            {
                throw new ArgumentException(
                    $"The connection string given to StoreInSqlite(...) begins with {DataDirectory}, and the application has not set it. "
                        + "Set it with AppDomain.CurrentDomain.SetData(\"DataDirectory\", ...) before the bus starts, or write the path "
                        + "itself.");
            }

            source = source[DataDirectory.Length..];
        }

        return System.IO.Path.GetFullPath(System.IO.Path.Combine(folder, source));
    }

    /// <exception cref="ArgumentException">The stores cannot be kept in this database.</exception>
    private void Validate()
    {
        if (connection.DataSource is "" or ":memory:"
            || connection.DataSource.Equals(UriScheme, StringComparison.OrdinalIgnoreCase)
            || connection.DataSource.StartsWith($"{UriScheme}?", StringComparison.OrdinalIgnoreCase)
            || connection.Mode == SqliteOpenMode.Memory
            || connection.DataSource.Contains("mode=memory", StringComparison.OrdinalIgnoreCase))
        {
            throw new ArgumentException("The connection string given to StoreInSqlite(...) names no file, so that nothing would be kept. "
                + "Write 'Data Source=' and a file, or use bus.StoreInMemory().");
        }

        if (connection.Mode == SqliteOpenMode.ReadOnly)
        {
            throw new ArgumentException(
                "The connection string given to StoreInSqlite(...) contains Mode=ReadOnly, but the stores must write. Remove it.");
        }

        if (connection.Cache == SqliteCacheMode.Shared)
        {
            throw new ArgumentException(
                "The connection string given to StoreInSqlite(...) contains Cache=Shared, which lets readers block writers. Remove it.");
        }
    }

    private StoreRefusedException Refused(string what, Exception cause) =>
        new(StoreScope.Store, $"The SQLite database '{Path}' {what}", cause);

    private EventBusException Failed(string what, Exception cause) => new($"The SQLite database '{Path}' {what}", cause);

    private async ValueTask<SqliteConnection> OpenAsync(string settings)
    {
        var opened = new SqliteConnection(connection.ConnectionString);
        try
        {
            await opened.OpenAsync();
            using var command = opened.CreateCommand();
            command.CommandText = $"PRAGMA busy_timeout = {(long)busyTimeout.TotalMilliseconds}; {settings}";
            await command.ExecuteNonQueryAsync();
            return opened;
        }
        catch (DbException)
        {
            await opened.DisposeAsync();
            throw;
        }
    }
}
