namespace EventBus;

/// <summary>Builds the SQL statements that select sagas.</summary>
internal sealed class SagaQueries(string prefix)
{
    private readonly string table = $"{prefix}sagas";

    /// <summary>Selects the saga with an id.</summary>
    public SqlRows Find { get; } = Rows($"{prefix}sagas", "content", "app = @app AND id = @id");

    /// <summary>Selects the sagas with the earliest due times among some names.</summary>
    /// <remarks>
    /// For each name, one inner query reads the due sagas, and another one the next saga that is not due yet, both by
    /// the index. The outer query takes the first of all names. Instances poll often, so this query must be fast.
    /// </remarks>
    /// <param name="nameCount">The number of names, which are the parameters <c>@saga0</c> and so on.</param>
    public SqlRows Due(int nameCount)
    {
        var firsts = Enumerable.Range(0, nameCount).SelectMany(i => (string[])[FirstOf(i, "<= @now", "@max"), FirstOf(i, "> @now", "1")]);
        var isAmongFirsts = $"number IN (SELECT number FROM ({string.Join(" UNION ALL ", firsts)}) AS firsts ORDER BY due_at, number "
            + "LIMIT @max)";
        return SelectFirst("due_at", isAmongFirsts);
    }

    /// <summary>Selects the sagas with the earliest alert times.</summary>
    public SqlRows Alerts() => SelectFirst("alert_at", "app = @app AND alert_at IS NOT NULL");

    /// <summary>Selects the matching sagas, the latest first.</summary>
    public SqlRows List(SagaFilter filter)
    {
        var before = filter.Before is null ? "" : " AND number < @before";
        return Rows(table, "content", $"app = @app{Where(filter)}{before} ORDER BY number DESC LIMIT @take");
    }

    /// <summary>Selects the number of the matching sagas.</summary>
    public string Count(SagaFilter filter) => $"SELECT sum(n) FROM {prefix}saga_counts WHERE app = @app{Where(filter)}";

    /// <summary>Sets the parameters of a filter.</summary>
    public static SqlStatement SetFilter(SqlStatement statement, SagaFilter filter) =>
        statement.Set("@saga", filter.Saga).Set("@status", (long?)filter.Status);

    private static string Where(SagaFilter filter) =>
        (filter.Saga is null ? "" : " AND saga = @saga") + (filter.Status is null ? "" : " AND status = @status");

    private string FirstOf(int nameIndex, string condition, string limit) =>
        $"SELECT * FROM (SELECT number, due_at FROM {table} WHERE app = @app AND saga = @saga{nameIndex} AND due_at {condition} "
            + $"ORDER BY due_at, number LIMIT {limit}) AS s";

    // Selects the sagas with the earliest times in a column. A saga whose time has not come is read without its
    // content.
    private SqlRows SelectFirst(string timeColumn, string condition) =>
        Rows(table, $"CASE WHEN {timeColumn} <= @now THEN content END", $"{condition} ORDER BY {timeColumn}, number LIMIT @max");

    private static SqlRows Rows(string table, string content, string condition) => new(
        $"SELECT {SagaRow.Columns}, {content} FROM {table} WHERE {condition}",
        $"SELECT number FROM {table} WHERE {condition}",
        $"SELECT {SagaRow.Columns}, content FROM {table} WHERE number = @row",
        $"SELECT {SagaRow.Columns}, NULL AS content FROM {table} WHERE number = @row");
}
