namespace EventBus;

/// <summary>Builds the SQL statements that create indexes.</summary>
internal static class SqlIndex
{
    /// <summary>Returns the statement that creates an index.</summary>
    /// <param name="table">The table.</param>
    /// <param name="name">The part of the name of the index that follows the name of the table.</param>
    /// <param name="columns">The columns, separated by commas.</param>
    /// <param name="where">The condition of the rows that the index contains; null for all rows.</param>
    public static string Create(string table, string name, string columns, string? where = null) =>
        $"CREATE INDEX {table}_{name} ON {table} ({columns}){(where is null ? "" : $" WHERE {where}")}";
}
