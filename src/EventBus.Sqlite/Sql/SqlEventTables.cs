namespace EventBus;

/// <summary>
/// Builds the SQL statements that create the tables of applications and of failed, handled and delayed events, and the
/// tables of their counts.
/// </summary>
internal sealed class SqlEventTables(SqlDialect dialect, string prefix)
{
    /// <summary>Returns the statements that create the tables.</summary>
    public IEnumerable<string> Create() => [.. CreateEventTables(), .. CreateCountTables()];

    private IEnumerable<string> CreateEventTables()
    {
        var (number, text, bytes) = (dialect.Number, dialect.Text, dialect.Bytes);

        // The number of an application stands in all its rows, because it is shorter than its name.
        yield return $"CREATE TABLE {prefix}apps (id {dialect.RowNumber}, name {text} NOT NULL UNIQUE) {dialect.Table}";

        // FailureTable lists the meanings of the columns.
        yield return $"""
            CREATE TABLE {prefix}failures (
                seq {dialect.RowNumber}, app {number} NOT NULL, subscription {text} NOT NULL, event_id {text} NOT NULL,
                event_name {text} NOT NULL, status {number} NOT NULL CHECK (status BETWEEN 0 AND 3), claim {number} NOT NULL, turn {number},
                due_at {number} NOT NULL, deadline {number},
                line_key {text}, order_key {text}, position {number}, starts {number} NOT NULL, replays {number} NOT NULL,
                reason {number} NOT NULL,
                number {number} NOT NULL, alert_at {number}, first_failed_at {number} NOT NULL, last_failed_at {number} NOT NULL,
                error {text},
                UNIQUE (app, subscription, event_id)) {dialect.Table}
            """;

        // Large columns that seldom change are in a separate table, so that a claim writes little.
        yield return $"CREATE TABLE {prefix}failure_contents (seq {number} NOT NULL PRIMARY KEY, attributes {bytes} NOT NULL, body "
            + $"{bytes} NOT NULL, history {bytes} NOT NULL, error_details {text}) {dialect.Table}";

        // AttemptTable lists the meanings of the columns.
        yield return $"""
            CREATE TABLE {prefix}starts (
                app {number} NOT NULL, subscription {text} NOT NULL, event_id {text} NOT NULL, starts {number} NOT NULL,
                counted_at {number} NOT NULL,
                PRIMARY KEY (app, subscription, event_id)) {dialect.TableByKey}
            """;

        // OrderTable lists the meanings of the columns.
        yield return $"""
            CREATE TABLE {prefix}order_keys (
                app {number} NOT NULL, subscription {text} NOT NULL, order_key {text} NOT NULL, stamp {number} NOT NULL,
                position {number}, changed_at {number} NOT NULL,
                PRIMARY KEY (app, subscription, order_key)) {dialect.TableByKey}
            """;

        // SqlProcessedEventStore lists the meanings of the columns.
        yield return $"""
            CREATE TABLE {prefix}processed (
                app {number} NOT NULL, subscription {text} NOT NULL, event_key {text} NOT NULL, fence {number} NOT NULL,
                fingerprint {number} NOT NULL, done {number} NOT NULL, until {number} NOT NULL, outbox {bytes},
                PRIMARY KEY (app, subscription, event_key)) {dialect.TableByKey}
            """;

        // DelayTable lists the meanings of the columns.
        yield return $"""
            CREATE TABLE {prefix}delays (
                seq {dialect.RowNumber}, app {number} NOT NULL, event_id {text} NOT NULL, event_name {text} NOT NULL,
                turn {number} NOT NULL, claimed {number} NOT NULL,
                attributes {bytes} NOT NULL, body {bytes} NOT NULL, UNIQUE (app, event_id)) {dialect.Table}
            """;
    }

    /// <summary>Returns the statements for the tables that count rows (<see cref="SqlDialect.Count"/>).</summary>
    private IEnumerable<string> CreateCountTables()
    {
        var (number, text) = (dialect.Number, dialect.Text);
        yield return $"""
            CREATE TABLE {prefix}failure_counts (
                app {number} NOT NULL, status {number} NOT NULL, subscription {text} NOT NULL, event_name {text} NOT NULL,
                reason {number} NOT NULL, n {number} NOT NULL,
                PRIMARY KEY (app, status, subscription, event_name, reason)) {dialect.TableByKey}
            """;
        yield return $"CREATE TABLE {prefix}processed_counts (app {number} NOT NULL PRIMARY KEY, n {number} NOT NULL) {dialect.Table}";
        yield return $"CREATE TABLE {prefix}delay_counts (app {number} NOT NULL PRIMARY KEY, n {number} NOT NULL) {dialect.Table}";
    }
}
