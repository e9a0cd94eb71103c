using System.Data.Common;

namespace EventBus;

/// <summary>
/// Defines the differences between databases. All other SQL works in both SQLite and PostgreSQL: named parameters,
/// upserts, <c>RETURNING</c>, partial indexes.
/// </summary>
internal abstract class SqlDialect
{
    /// <summary>
    /// Returns true if the database reports that a part of its file is damaged. Other parts may be intact.
    /// </summary>
    public abstract bool IsDamage(DbException exception);

    /// <summary>Gets the type of a 64-bit integer; times are UTC ticks.</summary>
    public abstract string Number { get; }

    /// <summary>Gets the type of text that is compared byte by byte.</summary>
    public abstract string Text { get; }

    /// <summary>Gets the type of bytes.</summary>
    public abstract string Bytes { get; }

    /// <summary>Gets the type of a column that numbers the rows in the order of their insertion.</summary>
    public abstract string RowNumber { get; }

    /// <summary>Gets the options at the end of a <c>CREATE TABLE</c> statement.</summary>
    public abstract string Table { get; }

    /// <summary>
    /// Gets the options at the end of a <c>CREATE TABLE</c> statement for a table that is stored in the order of its
    /// primary key.
    /// </summary>
    public abstract string TableByKey { get; }

    /// <summary>
    /// Returns the statements that maintain row counts. The table of the counts has the given columns and <c>n</c>, the
    /// number of rows for each combination of their values, so that counting never scans the counted table.
    /// </summary>
    /// <param name="table">The table whose rows are counted.</param>
    /// <param name="counts">The table of the counts.</param>
    /// <param name="columns">The columns by whose values the rows are counted.</param>
    public abstract IEnumerable<string> Count(string table, string counts, params string[] columns);
}
