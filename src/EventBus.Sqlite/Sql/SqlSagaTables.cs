namespace EventBus;

/// <summary>
/// Builds the SQL statements that create the table of the sagas, its indexes, and the table and triggers of the counts.
/// </summary>
internal sealed class SqlSagaTables(SqlDialect dialect, string prefix)
{
    /// <summary>Returns the statements that create the tables, the indexes and the triggers.</summary>
    public IEnumerable<string> Create()
    {
        var (number, text, bytes) = (dialect.Number, dialect.Text, dialect.Bytes);
        yield return $"""
            CREATE TABLE {prefix}sagas (
                number {number} NOT NULL PRIMARY KEY, app {number} NOT NULL, id {text} NOT NULL, saga {text} NOT NULL,
                status {number} NOT NULL CHECK (status BETWEEN 0 AND 5),
                version {number} NOT NULL, claim {number} NOT NULL, due_at {number}, alert_at {number}, wait_key {text},
                started_at {number} NOT NULL, changed_at {number} NOT NULL, keep_until {number}, content {bytes} NOT NULL,
                UNIQUE (app, id)) {dialect.Table}
            """;
        yield return $"CREATE TABLE {prefix}saga_counts (app {number} NOT NULL, saga {text} NOT NULL, status {number} NOT NULL, n "
            + $"{number} NOT NULL, PRIMARY KEY (app, saga, status)) {dialect.TableByKey}";

        // Due sagas, alerts, sagas that wait for a reply, and retention.
        yield return SqlIndex.Create($"{prefix}sagas", "due", "app, saga, due_at, number", "due_at IS NOT NULL");
        yield return SqlIndex.Create($"{prefix}sagas", "alert", "app, alert_at, number", "alert_at IS NOT NULL");
        yield return SqlIndex.Create($"{prefix}sagas", "waiting", "app, wait_key, number", "wait_key IS NOT NULL");
        yield return SqlIndex.Create($"{prefix}sagas", "age", "app, keep_until", "keep_until IS NOT NULL");

        // Listing: each filter is ordered by number.
        yield return SqlIndex.Create($"{prefix}sagas", "all", "app, number");
        yield return SqlIndex.Create($"{prefix}sagas", "saga", "app, saga, number");
        yield return SqlIndex.Create($"{prefix}sagas", "status", "app, status, number");
        yield return SqlIndex.Create($"{prefix}sagas", "saga_status", "app, saga, status, number");

        foreach (var statement in dialect.Count($"{prefix}sagas", $"{prefix}saga_counts", "app", "saga", "status"))
        {
            yield return statement;
        }
    }
}
