using System.Data.Common;

namespace EventBus;

/// <summary>What the stores need of a database.</summary>
internal abstract class SqlDatabase
{
    public abstract SqlDialect Dialect { get; }

    /// <summary>What the names of all tables begin with.</summary>
    public abstract string Prefix { get; }

    /// <summary>Does a step completely or not at all. When it returns, the step lasts. The step may run more than once, of which one lasts.</summary>
    public abstract ValueTask<T> WriteAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken);

    /// <summary>Reads, beside whatever is being written.</summary>
    public abstract ValueTask<T> ReadAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken);

    /// <summary>Runs within a step what a handler wants done in its transaction, within bounds.</summary>
    public abstract ValueTask RunEffectsAsync(SqlSession session, IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> effects, CancellationToken cancellationToken);
}
