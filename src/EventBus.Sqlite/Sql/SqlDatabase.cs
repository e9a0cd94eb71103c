using System.Data.Common;

namespace EventBus;

/// <summary>Runs the steps of the stores in a database.</summary>
internal abstract class SqlDatabase
{
    private const int SweepBatch = 200;

    public abstract SqlDialect Dialect { get; }

    /// <summary>Gets the prefix of all table names.</summary>
    public abstract string Prefix { get; }

    /// <summary>
    /// Returns true if a step failed because a part of the file is damaged. Nothing else can be written in the same
    /// transaction then, so the caller tries again without the damaged part.
    /// </summary>
    public bool IsDamage(Exception exception) =>
        (exception as DbException ?? exception.InnerException) is DbException cause && Dialect.IsDamage(cause);

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
            throw new InvalidOperationException(
                "The database was busy with other writes until the timeout, so this write was withdrawn before it began.",
                exception);
        }
    }

    /// <summary>Removes old rows in small writes, so that other writes never wait long.</summary>
    /// <param name="sweep">Removes at most the given number of rows, and returns how many it removed.</param>
    /// <param name="max">The maximum number of rows.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The number of rows that were removed.</returns>
    public async ValueTask<int> SweepAsync(Func<SqlSession, int, ValueTask<int>> sweep, int max, CancellationToken cancellationToken)
    {
        for (var swept = 0; ;)
        {
            var size = Math.Min(max - swept, SweepBatch);
            var removed = size > 0 ? await WriteAsync(session => sweep(session, size), cancellationToken) : 0;
            swept += removed;
            if (removed < SweepBatch)
            {
                return swept;
            }
        }
    }

    /// <summary>Runs a reading step, concurrently with writes.</summary>
    public abstract ValueTask<T> ReadAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken);

    /// <summary>Runs the effects of a handler in the transaction of a step, within the time limit.</summary>
    public abstract ValueTask RunEffectsAsync(
        SqlSession session,
        IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> effects,
        CancellationToken cancellationToken);
}
