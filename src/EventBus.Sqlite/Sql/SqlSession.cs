using System.Data.Common;

namespace EventBus;

/// <summary>Represents a connection with its prepared statements. Used by one step at a time.</summary>
/// <param name="connection">The open connection. It is closed with the session.</param>
/// <param name="app">The number of the application; 0 until it is known.</param>
internal sealed class SqlSession(DbConnection connection, long app) : IAsyncDisposable
{
    private readonly Dictionary<string, DbCommand> commands = new(StringComparer.Ordinal);

    // Ends the statements of an effect that was abandoned; null if there is none.
    private IAsyncDisposable? interrupter;

    public DbConnection Connection => connection;

    /// <summary>
    /// Gets or sets the number of the application, which is the parameter <c>@app</c> of every statement.
    /// </summary>
    public long App { get; set; } = app;

    /// <summary>Gets or sets the transaction of the current steps; null for a session that reads.</summary>
    public DbTransaction? Transaction { get; set; }

    /// <summary>True after a transaction was committed on the connection.</summary>
    public bool HasWritten { get; set; }

    /// <summary>
    /// True if an effect that ignored its cancellation may still use the connection. The connection is then closed and
    /// never used again.
    /// </summary>
    public bool IsAbandoned => interrupter is not null;

    /// <summary>Marks the session as used by an effect that ignored its cancellation.</summary>
    /// <param name="interrupter">
    /// Ends the statements of the effect, so that none of them holds up the closing. Disposed after the closing.
    /// </param>
    public void Abandon(IAsyncDisposable interrupter) => this.interrupter = interrupter;

    /// <summary>
    /// Returns a statement with its parameter <c>@app</c>; the caller sets the others. It is parsed once for each
    /// session.
    /// </summary>
    public SqlStatement Prepare(string sql)
    {
        if (!commands.TryGetValue(sql, out var command))
        {
            command = connection.CreateCommand();
            command.CommandText = sql;
            commands.Add(sql, command);
        }

        command.Transaction = Transaction;
        return new SqlStatement(command).Set("@app", App);
    }

    /// <summary>Runs a statement that is not cached.</summary>
    public async ValueTask RunAsync(string sql)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.Transaction = Transaction;
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Closes the connection, which rolls back uncommitted changes. Never throws.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await connection.DisposeAsync();
        }
        catch (Exception)
        {
            // A connection that cannot be closed is not used again.
        }

        if (interrupter is not null)
        {
            await interrupter.DisposeAsync();
        }
    }
}
