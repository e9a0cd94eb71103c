using System.Data.Common;
using EventBus.Stores;

namespace EventBus;

/// <summary>Stores sagas in a database.</summary>
internal sealed class SqlSagaStore(SqlDatabase database) : SagaStore
{
    private const string Columns =
        "id, saga, status, version, number, claim, due_at, alert_at, wait_key, started_at, changed_at, keep_until";

    private readonly SqlCounters counters = new(database.Prefix);
    private readonly string table = $"{database.Prefix}sagas";
    private readonly SqlRows find = Rows($"{database.Prefix}sagas", "content", "app = @app AND id = @id");
    private readonly string selectId = $"SELECT 1 FROM {database.Prefix}sagas WHERE app = @app AND id = @id";

    private readonly string create =
        $"""
        INSERT INTO {database.Prefix}sagas (app, {Columns}, content)
        VALUES (@app, @id, @saga, @status, 1, @number, @claim, @due, @alert, @wait, @started, @changed, @keep, @content)
        """;

    // @content is NULL if the entry could not be read; then its stored content is left unchanged.
    private readonly string saveWithIndexes =
        $"""
        UPDATE {database.Prefix}sagas SET
            status = @status, version = version + 1, claim = @claim, due_at = @due, alert_at = @alert, wait_key = @wait,
            changed_at = @changed, keep_until = @keep, content = coalesce(@content, content)
        WHERE app = @app AND id = @id AND version = @version
        """;

    // Tried first. It changes no column of the indexes by status, alert, wait key and retention, and updates no row if
    // one of these columns must change, which most saves do not need. An UPDATE that names these columns would write
    // their indexes even for equal values: that doubles the writes to the log, and takes 50 % more processor time.
    private readonly string saveKeepingIndexes =
        $"""
        UPDATE {database.Prefix}sagas SET version = version + 1, claim = @claim, due_at = @due, changed_at = @changed,
            content = coalesce(@content, content)
        WHERE app = @app AND id = @id AND version = @version AND status = @status
            AND alert_at IS NOT DISTINCT FROM @alert AND wait_key IS NOT DISTINCT FROM @wait AND keep_until IS NOT DISTINCT FROM @keep
        """;

    private readonly string selectWaiting =
        $"SELECT id FROM {database.Prefix}sagas WHERE app = @app AND wait_key = @wait ORDER BY number LIMIT @max";

    private readonly string sweep =
        $"DELETE FROM {database.Prefix}sagas WHERE number IN (SELECT number FROM {database.Prefix}sagas WHERE app = @app AND keep_until "
            + "<= @now ORDER BY keep_until LIMIT @max)";

    public override ValueTask<bool> CreateAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        var content = entry.Content.ToArray();
        return database.WriteOrWithdrawAsync(async session =>
        {
            if (await session.Prepare(selectId).Set("@id", entry.Id).NumberAsync() is not null)
            {
                return false;
            }

            var number = await counters.NextAsync(session, SqlSchema.SagaNumber);
            await Write(session, create, entry, content)
                .Set("@saga", entry.Saga)
                .Set("@number", number)
                .Set("@started", entry.StartedAt)
                .ExecuteAsync();
            return true;
        }, cancellationToken);
    }

    public override ValueTask<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken) =>
        database.ReadAsync(
            async session => (await find.ListAsync(session, statement => statement.Set("@id", id), Read)).FirstOrDefault(),
            cancellationToken);

    public override async ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        var content = entry.Defect is null ? entry.Content.ToArray() : null;
        return await database.WriteAsync(
            async session => await SaveAsync(session, saveKeepingIndexes) || await SaveAsync(session, saveWithIndexes),
            cancellationToken);

        async ValueTask<bool> SaveAsync(SqlSession session, string sql) =>
            await Write(session, sql, entry, content).Set("@version", entry.Version).ExecuteAsync() > 0;
    }

    public override ValueTask<DueBatch<SagaEntry>> ListDueAsync(
        IReadOnlyCollection<string> sagas,
        DateTimeOffset now,
        int max,
        CancellationToken cancellationToken)
    {
        var names = sagas.Distinct(StringComparer.Ordinal).ToList();
        if (names.Count == 0)
        {
            return ValueTask.FromResult(new DueBatch<SagaEntry>([], null));
        }

        // For each name, one inner query reads the due sagas, and another one the next saga that is not due yet, both
        // by the index. The outer query takes the first of all names. Instances poll often, so this query must be fast.
        var firsts = names.SelectMany((_, i) => (string[])[FirstOf(i, "<= @now", "@max"), FirstOf(i, "> @now", "1")]);
        var isAmongFirsts = $"number IN (SELECT number FROM ({string.Join(" UNION ALL ", firsts)}) AS firsts ORDER BY due_at, number "
            + "LIMIT @max)";
        return BatchAsync(
            SelectFirst("due_at", isAmongFirsts),
            SetNames,
            entry => entry.DueAt,
            now,
            max,
            cancellationToken);

        SqlStatement SetNames(SqlStatement statement)
        {
            for (var i = 0; i < names.Count; i++)
            {
                statement.Set($"@saga{i}", names[i]);
            }

            return statement;
        }

        string FirstOf(int nameIndex, string condition, string limit) =>
            $"SELECT * FROM (SELECT number, due_at FROM {table} WHERE app = @app AND saga = @saga{nameIndex} AND due_at {condition} "
                + $"ORDER BY due_at, number LIMIT {limit}) AS s";
    }

    public override ValueTask<DueBatch<SagaEntry>> ListAlertsAsync(DateTimeOffset now, int max, CancellationToken cancellationToken) =>
        BatchAsync(
            SelectFirst("alert_at", "app = @app AND alert_at IS NOT NULL"),
            static statement => statement,
            entry => entry.AlertAt,
            now,
            max,
            cancellationToken);

    public override async ValueTask<IReadOnlyList<string>> FindWaitingAsync(string waitKey, int max, CancellationToken cancellationToken) =>
        await database.ReadAsync(session => session.Prepare(selectWaiting)
            .Set("@wait", waitKey)
            .Set("@max", max)
            .ListAsync(static reader => new SqlRow(reader).Text()), cancellationToken);

    public override async ValueTask<IReadOnlyList<SagaEntry>> ListAsync(SagaFilter filter, CancellationToken cancellationToken)
    {
        var before = filter.Before is null ? "" : " AND number < @before";
        return await database.ReadAsync(
            session => Rows(table, "content", $"app = @app{Where(filter)}{before} ORDER BY number DESC LIMIT @take")
                .ListAsync(session, statement => Filtered(statement, filter).Set("@before", filter.Before).Set("@take", filter.Take), Read),
            cancellationToken);
    }

    public override ValueTask<long> CountAsync(SagaFilter filter, CancellationToken cancellationToken) =>
        database.ReadAsync(async session => await Filtered(
            session.Prepare($"SELECT sum(n) FROM {database.Prefix}saga_counts WHERE app = @app{Where(filter)}"),
            filter).NumberAsync() ?? 0, cancellationToken);

    public override ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken) =>
        database.SweepAsync(
            (session, size) => session.Prepare(sweep).Set("@now", now).Set("@max", size).ExecuteAsync(),
            max,
            cancellationToken);

    // Selects the sagas with the earliest times in a column. A saga whose time has not come is read without its
    // content.
    private SqlRows SelectFirst(string timeColumn, string condition) =>
        Rows(table, $"CASE WHEN {timeColumn} <= @now THEN content END", $"{condition} ORDER BY {timeColumn}, number LIMIT @max");

    private static SqlRows Rows(string table, string content, string condition) => new(
        $"SELECT {Columns}, {content} FROM {table} WHERE {condition}",
        $"SELECT number FROM {table} WHERE {condition}",
        $"SELECT {Columns}, content FROM {table} WHERE number = @row",
        $"SELECT {Columns}, NULL AS content FROM {table} WHERE number = @row");

    private async ValueTask<DueBatch<SagaEntry>> BatchAsync(
        SqlRows rows,
        Func<SqlStatement, SqlStatement> set,
        Func<SagaEntry, DateTimeOffset?> timeOf,
        DateTimeOffset now,
        int max,
        CancellationToken cancellationToken)
    {
        // Reads one saga more than requested, to get the next due time.
        var first = await database.ReadAsync(
            session => rows.ListAsync(session, statement => set(statement).Set("@now", now).Set("@max", max + 1L), Read),
            cancellationToken);
        var ready = first.Take(max).TakeWhile(entry => timeOf(entry) <= now).ToList();
        var nextTime = first.Count > ready.Count ? timeOf(first[ready.Count]) : null;
        return new DueBatch<SagaEntry>(ready, nextTime);
    }

    private static SqlStatement Write(SqlSession session, string sql, SagaEntry entry, byte[]? content) => session.Prepare(sql)
        .Set("@id", entry.Id)
        .Set("@status", (long)entry.Status)
        .Set("@claim", entry.Claim)
        .Set("@due", entry.DueAt)
        .Set("@alert", entry.AlertAt)
        .Set("@wait", entry.WaitKey)
        .Set("@changed", entry.ChangedAt)
        .Set("@keep", entry.KeepUntil)
        .Set("@content", content);

    private static SqlStatement Filtered(SqlStatement statement, SagaFilter filter) =>
        statement.Set("@saga", filter.Saga).Set("@status", (long?)filter.Status);

    private static string Where(SagaFilter filter) =>
        (filter.Saga is null ? "" : " AND saga = @saga") + (filter.Status is null ? "" : " AND status = @status");

    private static SagaEntry Read(DbDataReader reader)
    {
        var row = new SqlRow(reader);
        var entry = new SagaEntry
        {
            Id = row.Text(),
            Saga = row.Text(),
            Status = row.EnumOr(SagaStatus.NeedsAttention),
            Version = row.Number(),
            Number = row.Number(),
            Claim = row.Number(),
            DueAt = row.TimeOrNull(),
            AlertAt = row.TimeOrNull(),
            WaitKey = row.TextOrNull(),
            StartedAt = row.Time(),
            ChangedAt = row.Time(),
            KeepUntil = row.TimeOrNull(),
            Content = row.Bytes(),
        };
        return row.Defect is { } defect ? entry with { Content = ReadOnlyMemory<byte>.Empty, Defect = defect } : entry;
    }
}
