using System.Data;

namespace EventBus;

/// <summary>
/// Holds the connection that writes, with its transaction. The connection is opened when it is needed, and again after
/// it was closed. Used by one thread at a time.
/// </summary>
/// <param name="open">Opens a connection that writes.</param>
/// <param name="checkFile">
/// Returns the reason why data written by a session would be lost; null if it would not be.
/// </param>
internal sealed class SqlWriteConnection(Func<ValueTask<SqlSession>> open, Func<SqlSession, Exception?> checkFile)
{
    private const string Savepoint = "step";

    private SqlSession? session;

    /// <summary>
    /// Gets or sets the reason why writes fail at present, or a problem that the owner has found; null if there is
    /// none.
    /// </summary>
    public string? Problem { get; set; }

    /// <summary>Begins a transaction.</summary>
    public async ValueTask<SqlSession> BeginAsync()
    {
        if (session is not null && checkFile(session) is not null)
        {
            await CloseAsync();
        }

        if (session is null)
        {
            session = await open();
            Problem = null;
        }

        session.Transaction = await session.Connection.BeginTransactionAsync(IsolationLevel.Serializable);
        return session;
    }

    /// <summary>Runs a step in the transaction, with a savepoint of its own.</summary>
    public static async ValueTask RunAsync(SqlSession current, SqlOperation operation)
    {
        await current.Transaction!.SaveAsync(Savepoint);
        await operation.RunAsync(current);
        await current.Transaction!.ReleaseAsync(Savepoint);
    }

    /// <summary>Rolls back a single step. Returns false if the whole transaction is lost.</summary>
    public static async ValueTask<bool> UndoAsync(SqlSession current)
    {
        if (current.IsAbandoned)
        {
            return false;
        }

        try
        {
            await current.Transaction!.RollbackAsync(Savepoint);
            await current.Transaction!.ReleaseAsync(Savepoint);
            return true;
        }
        catch (Exception)
        {
            // On a full disk, or if an effect ended the transaction, the database has rolled back everything already.
            return false;
        }
    }

    /// <summary>Commits the transaction. Throws if that fails, or if the file was moved.</summary>
    public async ValueTask CommitAsync(SqlSession current)
    {
        await current.Transaction!.CommitAsync();
        await current.Transaction.DisposeAsync();
        current.Transaction = null;
        current.HasWritten = true;

        // The file may have been moved before the commit, which is then lost.
        if (checkFile(current) is { } moved)
        {
            throw moved;
        }
    }

    /// <summary>Closes the connection, which rolls back uncommitted changes.</summary>
    public async ValueTask CloseAsync()
    {
        if (session is { } closing)
        {
            session = null;
            await closing.DisposeAsync();
        }
    }
}
