using System.Data.Common;

namespace EventBus;

/// <summary>A connection with the statements that were prepared on it. Used by one step at a time.</summary>
/// <param name="connection">The open connection; closed with the session.</param>
/// <param name="app">The number of the application; 0 until it is known.</param>
internal sealed class SqlSession(DbConnection connection, long app) : IAsyncDisposable
{
    private readonly Dictionary<string, DbCommand> commands = new(StringComparer.Ordinal);

    public DbConnection Connection => connection;

    /// <summary>The number of the application whose rows are meant: <c>@app</c> of every statement.</summary>
    public long App { get; set; } = app;

    /// <summary>The transaction in which the steps run; null while reading.</summary>
    public DbTransaction? Transaction { get; set; }

    /// <summary>A transaction was committed on it.</summary>
    public bool HasWritten { get; set; }

    /// <summary>Somebody may still be using the connection, who was told to stop and did not: it is closed, and never used again.</summary>
    public bool IsAbandoned { get; set; }

    /// <summary>A statement, ready to be given its parameters. It is parsed once for the session.</summary>
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

    /// <summary>Runs a statement that is not needed again.</summary>
    public async ValueTask RunAsync(string sql)
    {
        await using var command = connection.CreateCommand();
        (command.CommandText, command.Transaction) = (sql, Transaction);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Closes the connection, which undoes what it has not committed. Never throws.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await connection.DisposeAsync();
        }
        catch (Exception)
        {
            // What cannot be closed is not used again either.
        }
    }
}
