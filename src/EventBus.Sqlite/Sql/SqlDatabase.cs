using System.Data.Common;

namespace EventBus;

/// <summary>Runs the steps of the stores in a database.</summary>
internal abstract class SqlDatabase
{
    public abstract SqlDialect Dialect { get; }

    /// <summary>Gets the prefix of all table names.</summary>
    public abstract string Prefix { get; }

    /// <summary>
    /// Returns true if a step failed because a part of the file is damaged. Nothing else can be written in the same
    /// transaction then, so the caller tries again without the damaged part.
    /// </summary>
    public bool IsDamage(Exception exception) => (exception as DbException ?? exception.InnerException) is DbException cause && Dialect.IsDamage(cause);

    /// <summary>
    /// Runs a step completely or not at all. When the method returns, the step is durable. The step may run more than
    /// once, but only one run takes effect.
    /// </summary>
    public abstract ValueTask<T> WriteAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken);

    /// <summary>
    /// Does the same as <see cref="WriteAsync{T}"/>, but reports a write that was cancelled before it began as
    /// withdrawn.
    /// </summary>
    /// <exception cref="InvalidOperationException">The step was withdrawn, and certainly did not run.</exception>
    public async ValueTask<T> WriteOrWithdrawAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken)
    {
        try
        {
            return await WriteAsync(step, cancellationToken);
        }
        catch (OperationCanceledException exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new InvalidOperationException("The database was busy with other writes until the timeout, so this write was withdrawn before it began.", exception);
        }
    }

    /// <summary>Runs a reading step, concurrently with writes.</summary>
    public abstract ValueTask<T> ReadAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken);

    /// <summary>Runs the effects of a handler in the transaction of a step, within the time limit.</summary>
    public abstract ValueTask RunEffectsAsync(SqlSession session, IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> effects, CancellationToken cancellationToken);
}
