using System.Data.Common;

namespace EventBus;

/// <summary>
/// Runs the reads and writes of the stores in a database. A step is a function that runs the statements of one read or
/// write of a store.
/// </summary>
internal abstract class SqlDatabase
{
    private const int SweepBatch = 200;

    public abstract SqlDialect Dialect { get; }

    /// <summary>Gets the prefix of all table names.</summary>
    public abstract string Prefix { get; }

    /// <summary>
    /// Returns true if a step failed because a part of the file is damaged. The whole transaction is then rolled back,
    /// so the caller tries again without the damaged part.
    /// </summary>
    /// <param name="exception">An error of the database, or the exception that explains it.</param>
    public bool IsDamage(Exception exception)
    {
        var cause = exception as DbException ?? exception.InnerException as DbException;
        return cause is not null && Dialect.IsDamage(cause);
    }

    /// <summary>
    /// Runs a step completely or not at all. When the method returns, the step is durable. The step may run more than
    /// once, but only one run takes effect.
    /// </summary>
    public abstract ValueTask<T> WriteAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken);

    /// <summary>
    /// Does the same as <see cref="WriteAsync{T}"/>, but throws an <see cref="InvalidOperationException"/> instead of
    /// an <see cref="OperationCanceledException"/> if the token is cancelled while the write waits in the queue. The
    /// exception says that nothing was written.
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
    public ValueTask<int> SweepAsync(Func<SqlSession, int, ValueTask<int>> sweep, int max, CancellationToken cancellationToken) =>
        SweepAsync(sweep, max, static _ => { }, cancellationToken);

    /// <summary>Removes old rows in small writes, and reports each of them.</summary>
    /// <param name="sweep">Removes at most the given number of rows, and returns how many it removed.</param>
    /// <param name="max">The maximum number of rows.</param>
    /// <param name="onRemoved">Receives the number of rows of each write after its commit.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The number of rows that were removed.</returns>
    public async ValueTask<int> SweepAsync(
        Func<SqlSession, int, ValueTask<int>> sweep,
        int max,
        Action<int> onRemoved,
        CancellationToken cancellationToken)
    {
        var total = 0;
        while (total < max)
        {
            var size = Math.Min(max - total, SweepBatch);
            var removed = await WriteAsync(session => sweep(session, size), cancellationToken);
            onRemoved(removed);
            total += removed;
            if (removed < size)
            {
                break;
            }
        }

        return total;
    }

    /// <summary>Runs a reading step, concurrently with writes.</summary>
    public abstract ValueTask<T> ReadAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken);

    /// <summary>
    /// Runs the effects of a handler, which are functions that write the application's own data, in the transaction of
    /// a step. Their time is limited by the options of the database.
    /// </summary>
    /// <exception cref="Stores.EffectException">An effect failed, took too long or ended the transaction.</exception>
    public abstract ValueTask RunEffectsAsync(
        SqlSession session,
        IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> effects,
        CancellationToken cancellationToken);
}
