using System.Data.Common;

namespace EventBus;

/// <summary>Where databases differ. Everything else is SQL that SQLite and PostgreSQL both understand: named parameters, upserts, <c>RETURNING</c>, partial indexes.</summary>
internal abstract class SqlDialect
{
    /// <summary>Whether the database found a part of its file damaged: other parts may be whole.</summary>
    public abstract bool IsDamage(DbException exception);

    /// <summary>A 64-bit number; times are UTC ticks.</summary>
    public abstract string Number { get; }

    /// <summary>Text that is compared byte by byte.</summary>
    public abstract string Text { get; }

    public abstract string Bytes { get; }

    /// <summary>A column that numbers the rows in the order in which they came.</summary>
    public abstract string RowNumber { get; }

    /// <summary>What ends a table.</summary>
    public abstract string Table { get; }

    /// <summary>What ends a table whose rows are stored by their primary key.</summary>
    public abstract string TableByKey { get; }

    /// <summary>Statements that keep, in a table with the same columns and <c>n</c>, how many rows there are of each combination of some columns, so that counting never walks over them.</summary>
    /// <param name="table">What is counted.</param>
    /// <param name="counts">Where the counts are.</param>
    /// <param name="columns">The columns.</param>
    public abstract IEnumerable<string> Count(string table, string counts, params string[] columns);
}
