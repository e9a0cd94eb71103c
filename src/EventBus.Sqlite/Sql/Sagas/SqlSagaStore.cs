using EventBus.Stores;

namespace EventBus;

/// <summary>Stores sagas in a database.</summary>
internal sealed class SqlSagaStore(SqlDatabase database) : SagaStore
{
    private readonly SqlCounters counters = new(database.Prefix);
    private readonly SagaQueries queries = new(database.Prefix);
    private readonly string selectId = $"SELECT 1 FROM {database.Prefix}sagas WHERE app = @app AND id = @id";

    private readonly string create =
        $"""
        INSERT INTO {database.Prefix}sagas (app, {SagaRow.Columns}, content)
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
            await SagaRow.Write(session.Prepare(create), entry, content)
                .Set("@saga", entry.Saga)
                .Set("@number", number)
                .Set("@started", entry.StartedAt)
                .ExecuteAsync();
            return true;
        }, cancellationToken);
    }

    public override ValueTask<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken) =>
        database.ReadAsync(
            async session => (await queries.Find.ListAsync(session, statement => statement.Set("@id", id), SagaRow.Read)).FirstOrDefault(),
            cancellationToken);

    public override async ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        var content = entry.Defect is null ? entry.Content.ToArray() : null;
        return await database.WriteAsync(
            async session => await SaveAsync(session, saveKeepingIndexes) || await SaveAsync(session, saveWithIndexes),
            cancellationToken);

        async ValueTask<bool> SaveAsync(SqlSession session, string sql) =>
            await SagaRow.Write(session.Prepare(sql), entry, content).Set("@version", entry.Version).ExecuteAsync() > 0;
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

        return BatchAsync(queries.Due(names.Count), SetNames, static entry => entry.DueAt, now, max, cancellationToken);

        SqlStatement SetNames(SqlStatement statement)
        {
            for (var i = 0; i < names.Count; i++)
            {
                statement.Set($"@saga{i}", names[i]);
            }

            return statement;
        }
    }

    public override ValueTask<DueBatch<SagaEntry>> ListAlertsAsync(DateTimeOffset now, int max, CancellationToken cancellationToken) =>
        BatchAsync(queries.Alerts(), static statement => statement, static entry => entry.AlertAt, now, max, cancellationToken);

    public override async ValueTask<IReadOnlyList<string>> FindWaitingAsync(string waitKey, int max, CancellationToken cancellationToken) =>
        await database.ReadAsync(session => session.Prepare(selectWaiting)
            .Set("@wait", waitKey)
            .Set("@max", max)
            .ListAsync(static reader => new SqlRow(reader).Text()), cancellationToken);

    public override async ValueTask<IReadOnlyList<SagaEntry>> ListAsync(SagaFilter filter, CancellationToken cancellationToken) =>
        await database.ReadAsync(
            session => queries.List(filter).ListAsync(
                session,
                statement => SagaQueries.SetFilter(statement, filter).Set("@before", filter.Before).Set("@take", filter.Take),
                SagaRow.Read),
            cancellationToken);

    public override ValueTask<long> CountAsync(SagaFilter filter, CancellationToken cancellationToken) =>
        database.ReadAsync(
            async session => await SagaQueries.SetFilter(session.Prepare(queries.Count(filter)), filter).NumberAsync() ?? 0,
            cancellationToken);

    public override ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken) =>
        database.SweepAsync(
            (session, size) => session.Prepare(sweep).Set("@now", now).Set("@max", size).ExecuteAsync(),
            max,
            cancellationToken);

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
            session => rows.ListAsync(session, statement => set(statement).Set("@now", now).Set("@max", max + 1L), SagaRow.Read),
            cancellationToken);
        var ready = first.Take(max).TakeWhile(entry => timeOf(entry) <= now).ToList();
        var nextTime = first.Count > ready.Count ? timeOf(first[ready.Count]) : null;
        return new DueBatch<SagaEntry>(ready, nextTime);
    }
}
