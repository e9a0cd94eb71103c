using Microsoft.Data.Sqlite;

namespace Checkout;

/// <summary>
/// Opens the shop's SQLite file and creates its tables. With <c>--store sqlite</c> the bus uses the same file.
/// </summary>
public sealed class ShopDatabase
{
    // No order is removed, so that no number and no order id is used twice. The total is a text, because 59.90 must
    // stay 59.90: an event that is published again must have the same bytes.
    private const string Tables = """
        PRAGMA journal_mode = WAL;

        CREATE TABLE IF NOT EXISTS orders (
            number INTEGER PRIMARY KEY,
            order_id TEXT NOT NULL UNIQUE,
            idempotency_key TEXT UNIQUE,
            user_id TEXT NOT NULL,
            items TEXT NOT NULL,
            total TEXT NOT NULL,
            placed_at TEXT NOT NULL,
            state TEXT NOT NULL,
            version INTEGER NOT NULL,
            is_published INTEGER,
            is_cancellation_published INTEGER);

        CREATE INDEX IF NOT EXISTS orders_pending ON orders (number) WHERE state = 'pending';
        CREATE INDEX IF NOT EXISTS orders_unpublished ON orders (number) WHERE is_published = 0;
        CREATE INDEX IF NOT EXISTS orders_cancelled ON orders (number) WHERE is_cancellation_published = 0;

        CREATE TABLE IF NOT EXISTS fulfilments (order_id TEXT PRIMARY KEY, state TEXT NOT NULL);

        CREATE TABLE IF NOT EXISTS charges (idempotency_key TEXT PRIMARY KEY, order_id TEXT NOT NULL, amount TEXT);
        """;

    private readonly string connectionString;

    public ShopDatabase(string file)
    {
        connectionString = $"Data Source={file}";
        Create(Tables);
    }

    /// <summary>Creates tables, if they are missing.</summary>
    public void Create(string tables)
    {
        using var connection = new SqliteConnection(connectionString);
        connection.Open();
        using var create = connection.CreateCommand();
        create.CommandText = tables;
        create.ExecuteNonQuery();
    }

    /// <summary>Executes one statement in a transaction of its own.</summary>
    /// <returns>The number of rows that it changed.</returns>
    public async Task<int> ExecuteAsync(
        string sql,
        IEnumerable<(string Name, object? Value)> values,
        CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var command = Command(connection, sql, values);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Executes one statement in a transaction of its own, and reads the rows that it returns.</summary>
    public async Task<List<T>> QueryAsync<T>(
        string sql,
        IEnumerable<(string Name, object? Value)> values,
        Func<SqliteDataReader, T> read,
        CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var command = Command(connection, sql, values);
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        var found = new List<T>();
        while (await rows.ReadAsync(cancellationToken))
        {
            found.Add(read(rows));
        }

        return found;
    }

    /// <summary>Opens a connection, for work that is more than one statement.</summary>
    public async Task<SqliteConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var connection = new SqliteConnection(connectionString);
        await connection.OpenAsync(cancellationToken);

        // SQLite itself waits for another writer in steps of a few milliseconds, the client in steps of 150.
        await using var wait = Command(connection, "PRAGMA busy_timeout = 5000", []);
        await wait.ExecuteNonQueryAsync(cancellationToken);
        return connection;
    }

    private static SqliteCommand Command(SqliteConnection connection, string sql, IEnumerable<(string Name, object? Value)> values)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in values)
        {
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        }

        return command;
    }
}
