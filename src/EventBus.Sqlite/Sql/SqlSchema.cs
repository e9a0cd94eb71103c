namespace EventBus;

/// <summary>
/// Creates the tables of the stores. Indexes cover every query for due, listed or swept rows, and row counts are
/// maintained by triggers, so that performance does not depend on the size of the tables.
/// </summary>
internal sealed class SqlSchema(SqlDialect dialect, string prefix)
{
    private const long Version = 5;

    /// <summary>
    /// The names of the sequences of <see cref="SqlCounters"/>: numbers of dead letters, claims of failed events,
    /// claims of handled events (fencing tokens), and sagas.
    /// </summary>
    public const string DeadNumber = "dead", ClaimNumber = "claim", FenceNumber = "fence", SagaNumber = "saga";

    /// <summary>
    /// Creates or updates the tables in the transaction of the step. Returns the number of the application.
    /// </summary>
    public async ValueTask<long> OpenAsync(SqlSession session, string service)
    {
        await session.RunAsync($"CREATE TABLE IF NOT EXISTS {prefix}meta (name {dialect.Text} NOT NULL PRIMARY KEY, value "
            + $"{dialect.Number} NOT NULL) {dialect.Table}");
        var version = await session.Prepare($"SELECT value FROM {prefix}meta WHERE name = 'schema'").NumberAsync() ?? 0;
        if (version > Version)
        {
            throw new EventBusException(
                $"The tables '{prefix}...' were created by a newer version of the library (schema {version}; this one knows {Version}). "
                    + "Update this application, or set SqliteStoreOptions.TablePrefix to use separate tables.");
        }

        // The statements of each version only add tables and columns.
        IEnumerable<string>[] versions = [Version1(), Version2(), Version3(), Version4(), Version5()];
        foreach (var statement in versions.Skip((int)version).SelectMany(statements => statements))
        {
            await session.RunAsync(statement);
        }

        // Written at every start, so that a database which this process may only read is detected at once, and not at
        // the first failure of an event.
        await session.RunAsync($"UPDATE {prefix}meta SET value = {Version} WHERE name = 'schema'");
        session.App = await FindApplicationAsync(session, service) ?? await AddApplicationAsync(session, service);
        return session.App;
    }

    private ValueTask<long?> FindApplicationAsync(SqlSession session, string service) =>
        session.Prepare($"SELECT id FROM {prefix}apps WHERE name = @name").Set("@name", service).NumberAsync();

    private async ValueTask<long> AddApplicationAsync(SqlSession session, string service)
    {
        var added = await session.Prepare($"INSERT INTO {prefix}apps (name) VALUES (@name) RETURNING id")
            .Set("@name", service)
            .NumberAsync();
        return added!.Value;
    }

    /// <summary>Returns the statements of version 1: failed, handled and delayed events.</summary>
    private IEnumerable<string> Version1() =>
        [
            .. Tables(),
            .. Indexes(),
            .. Counts(),
            $"INSERT INTO {prefix}meta (name, value) VALUES ('schema', 1), ('{DeadNumber}', 0), ('{ClaimNumber}', 0), ('{FenceNumber}', 0)"
        ];

    /// <summary>Returns the statements that version 2 added: sagas.</summary>
    private IEnumerable<string> Version2()
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
        yield return Index("sagas", "due", "app, saga, due_at, number", "due_at IS NOT NULL");
        yield return Index("sagas", "alert", "app, alert_at, number", "alert_at IS NOT NULL");
        yield return Index("sagas", "waiting", "app, wait_key, number", "wait_key IS NOT NULL");
        yield return Index("sagas", "age", "app, keep_until", "keep_until IS NOT NULL");

        // Listing: each filter is ordered by number.
        yield return Index("sagas", "all", "app, number");
        yield return Index("sagas", "saga", "app, saga, number");
        yield return Index("sagas", "status", "app, status, number");
        yield return Index("sagas", "saga_status", "app, saga, status, number");

        foreach (var statement in dialect.Count($"{prefix}sagas", $"{prefix}saga_counts", "app", "saga", "status"))
        {
            yield return statement;
        }

        yield return $"INSERT INTO {prefix}meta (name, value) VALUES ('{SagaNumber}', 0)";
    }

    /// <summary>
    /// Returns the statements that version 3 added: the number of attempts that ran concurrently with another event
    /// that may have ended the process.
    /// </summary>
    private IEnumerable<string> Version3() =>
        [
            $"ALTER TABLE {prefix}starts ADD COLUMN accompanied {dialect.Number} NOT NULL DEFAULT 0",
            $"ALTER TABLE {prefix}failures ADD COLUMN accompanied {dialect.Number} NOT NULL DEFAULT 0"
        ];

    /// <summary>
    /// Returns the statement that version 4 added: the instances that share the database, by subscription.
    /// </summary>
    private IEnumerable<string> Version4() =>
        [$"CREATE TABLE {prefix}instances (app {dialect.Number} NOT NULL, instance {dialect.Text} NOT NULL, subscription {dialect.Text} "
            + $"NOT NULL, until {dialect.Number} NOT NULL, PRIMARY KEY (app, instance, subscription)) {dialect.TableByKey}"];

    /// <summary>
    /// Returns the statement that version 5 added: the subscriptions that were in use on a backend, and the time of
    /// their last use.
    /// </summary>
    private IEnumerable<string> Version5() =>
        [$"CREATE TABLE {prefix}subscriptions (backend {dialect.Text} NOT NULL, app {dialect.Number} NOT NULL, subscription "
            + $"{dialect.Text} NOT NULL, seen_at {dialect.Number} NOT NULL, PRIMARY KEY (backend, app, subscription)) "
            + $"{dialect.TableByKey}"];

    private IEnumerable<string> Tables()
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

        // The numbers of rows (SqlDialect.Count).
        yield return $"""
            CREATE TABLE {prefix}failure_counts (
                app {number} NOT NULL, status {number} NOT NULL, subscription {text} NOT NULL, event_name {text} NOT NULL,
                reason {number} NOT NULL, n {number} NOT NULL,
                PRIMARY KEY (app, status, subscription, event_name, reason)) {dialect.TableByKey}
            """;
        yield return $"CREATE TABLE {prefix}processed_counts (app {number} NOT NULL PRIMARY KEY, n {number} NOT NULL) {dialect.Table}";
        yield return $"CREATE TABLE {prefix}delay_counts (app {number} NOT NULL PRIMARY KEY, n {number} NOT NULL) {dialect.Table}";
    }

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
        $"CREATE INDEX {prefix}{table}_{name} ON {prefix}{table} ({columns}){(where is null ? "" : $" WHERE {where}")}";
}
