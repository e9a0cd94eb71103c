namespace EventBus;

/// <summary>
/// Creates the tables of the stores. Indexes cover every query for due, listed or swept rows, and row counts are
/// maintained by triggers, so that performance does not depend on the size of the tables.
/// </summary>
internal sealed class SqlSchema(SqlDialect dialect, string prefix)
{
    private const long Version = 6;

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
        IEnumerable<string>[] versions = [Version1(), Version2(), Version3(), Version4(), Version5(), Version6()];
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
            .. new SqlEventTables(dialect, prefix).Create(),
            .. new SqlEventIndexes(dialect, prefix).Create(),
            $"INSERT INTO {prefix}meta (name, value) VALUES ('schema', 1), ('{DeadNumber}', 0), ('{ClaimNumber}', 0), ('{FenceNumber}', 0)"
        ];

    /// <summary>Returns the statements that version 2 added: sagas.</summary>
    private IEnumerable<string> Version2() =>
        [
            .. new SqlSagaTables(dialect, prefix).Create(),
            $"INSERT INTO {prefix}meta (name, value) VALUES ('{SagaNumber}', 0)"
        ];

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

    /// <summary>Returns the statement that version 6 added: the type of the last error of a failed event.</summary>
    private IEnumerable<string> Version6() => [$"ALTER TABLE {prefix}failures ADD COLUMN error_type {dialect.Text}"];
}
