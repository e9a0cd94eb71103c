namespace EventBus;

/// <summary>
/// Builds the SQL statements that create the indexes of the tables of failed, handled and delayed events, and the
/// triggers that count their rows.
/// </summary>
internal sealed class SqlEventIndexes(SqlDialect dialect, string prefix)
{
    /// <summary>Returns the statements that create the indexes and the triggers.</summary>
    public IEnumerable<string> Create() => [.. Indexes(), .. Counts()];

    private IEnumerable<string> Indexes()
    {
        // Claims.
        yield return Index("failures", "turn", "app, subscription, turn, seq", "turn IS NOT NULL");
        yield return Index("failures", "claimed", "app, turn", "claim <> 0");

        // Lines, their parked entries, and order keys.
        yield return Index("failures", "line", "app, subscription, line_key, seq", "line_key IS NOT NULL");
        yield return Index("failures", "parked", "app, subscription, line_key", "status = 1");
        yield return Index("failures", "order", "app, subscription, order_key, status, position", "order_key IS NOT NULL");

        // Lists of dead letters, where each filter is ordered by number; alerts; and retention.
        yield return Index("failures", "dead", "app, number", "status = 2");
        yield return Index("failures", "dead_subscription", "app, subscription, number", "status = 2");
        yield return Index("failures", "dead_name", "app, event_name, number", "status = 2");
        yield return Index("failures", "dead_event", "app, event_id, number", "status = 2");
        yield return Index("failures", "dead_reason", "app, reason, number", "status = 2");
        yield return Index("failures", "dead_age", "app, last_failed_at", "status = 2");
        yield return Index("failures", "alert", "app, number, alert_at", "alert_at IS NOT NULL");
        yield return Index("failures", "alert_time", "app, alert_at", "alert_at IS NOT NULL");

        yield return Index("starts", "age", "app, counted_at");
        yield return Index("order_keys", "age", "app, changed_at");
        yield return Index("processed", "age", "app, until", "done = 1 AND outbox IS NULL");
        yield return Index("processed", "abandoned", "app, until", "done = 0");
        yield return Index("delays", "turn", "app, turn");
        yield return Index("delays", "claimed", "app, turn", "claimed = 1");
    }

    private IEnumerable<string> Counts() =>
    [
        .. dialect.Count($"{prefix}failures", $"{prefix}failure_counts", "app", "status", "subscription", "event_name", "reason"),
        .. dialect.Count($"{prefix}processed", $"{prefix}processed_counts", "app"),
        .. dialect.Count($"{prefix}delays", $"{prefix}delay_counts", "app"),
    ];

    private string Index(string table, string name, string columns, string? where = null) =>
        SqlIndex.Create($"{prefix}{table}", name, columns, where);
}
