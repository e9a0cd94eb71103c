using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace EventBus;

/// <summary>Opens the connections to a SQLite file.</summary>
internal sealed class SqliteFile
{
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
        SqliteConnectionCheck.Run(connection);
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
    public string Path => SqliteUri.Matches(connection.DataSource) ? connection.DataSource.Split('?')[0] : connection.DataSource;

    /// <summary>
    /// Returns the same file with its full path. The connections are opened at different times, and the application may
    /// change its current directory in between: all of them must open the same file.
    /// </summary>
    /// <exception cref="ArgumentException">
    /// The path begins with <c>|DataDirectory|</c>, and the application has not set that directory.
    /// </exception>
    public SqliteFile WithFullPath()
    {
        var fullPath = SqlitePath.Resolve(connection.DataSource);
        return new SqliteFile(new SqliteConnectionStringBuilder(connection.ConnectionString) { DataSource = fullPath }, busyTimeout);
    }

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
