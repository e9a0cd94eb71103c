using System.Data.Common;

namespace EventBus;

/// <summary>What the stores need of a database.</summary>
internal abstract class SqlDatabase
{
    public abstract SqlDialect Dialect { get; }

    /// <summary>What the names of all tables begin with.</summary>
    public abstract string Prefix { get; }

    /// <summary>Whether a step failed because a part of the file is damaged. Nothing else can be written in the same transaction then, so that it is tried again without what it touched.</summary>
    public bool IsDamage(Exception exception) => (exception as DbException ?? exception.InnerException) is DbException cause && Dialect.IsDamage(cause);

    /// <summary>Does a step completely or not at all. When it returns, the step lasts. The step may run more than once, of which one lasts.</summary>
    public abstract ValueTask<T> WriteAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken);

    /// <summary>The same, for what is withdrawn when the token is cancelled before its turn.</summary>
    /// <exception cref="InvalidOperationException">It was withdrawn, and has certainly not been done.</exception>
    public async ValueTask<T> WriteOrWithdrawAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken)
    {
        try
        {
            return await WriteAsync(step, cancellationToken);
        }
        catch (OperationCanceledException exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new InvalidOperationException("The database was busy with other writes until the time was over, so this one was withdrawn before its turn.", exception);
        }
    }

    /// <summary>Reads, beside whatever is being written.</summary>
    public abstract ValueTask<T> ReadAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken);

    /// <summary>Runs within a step what a handler wants done in its transaction, within bounds.</summary>
    public abstract ValueTask RunEffectsAsync(SqlSession session, IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> effects, CancellationToken cancellationToken);
}
