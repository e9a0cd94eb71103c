using System.Data.Common;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Stores delayed events in a database.</summary>
internal sealed class SqlDelayStore(SqlDatabase database, ILogger log) : DelayStore
{
    private const int MaxNamedRows = 10;

    // Columns: turn is the time at which the event is due, or at which the lease of its claim ends; claimed is 1 if an
    // instance has claimed the event, and 0 or 2 if not (see SqlClock).
    private readonly string add =
        $"""
        INSERT INTO {database.Prefix}delays (app, event_id, event_name, turn, claimed, attributes, body)
            VALUES (@app, @event, @name, @due, 0, @attributes, @body)
        ON CONFLICT (app, event_id) DO NOTHING
        """;

    private readonly string due = $"SELECT seq, event_id, event_name, attributes, body FROM {database.Prefix}delays WHERE app = @app AND "
        + "turn <= @now ORDER BY turn, seq LIMIT @max";
    private readonly string selectDueRows =
        $"SELECT seq FROM {database.Prefix}delays WHERE app = @app AND turn <= @now ORDER BY turn, seq LIMIT @max";
    private readonly string one =
        $"SELECT seq, event_id, event_name, attributes, body FROM {database.Prefix}delays WHERE app = @app AND seq = @seq";
    private readonly string claim = $"UPDATE {database.Prefix}delays SET claimed = 1, turn = @until WHERE seq = @seq";
    private readonly string next = $"SELECT turn FROM {database.Prefix}delays WHERE app = @app ORDER BY turn LIMIT 1";
    private readonly string remove = $"DELETE FROM {database.Prefix}delays WHERE app = @app AND event_id = @event";
    private readonly string cancel = $"DELETE FROM {database.Prefix}delays WHERE app = @app AND event_id = @event AND claimed = 0";
    private readonly string list = $"SELECT event_id, event_name, turn, attributes FROM {database.Prefix}delays WHERE app = @app AND "
        + "claimed = 0 ORDER BY turn, seq LIMIT @max";
    private readonly string listWithoutAttributes =
        $"SELECT event_id, event_name, turn FROM {database.Prefix}delays WHERE app = @app AND claimed = 0 ORDER BY turn, seq LIMIT @max";
    private readonly string count = $"SELECT n FROM {database.Prefix}delay_counts WHERE app = @app";
    private readonly string countDue = $"SELECT count(*) FROM {database.Prefix}delays WHERE app = @app AND turn <= @now";
    private readonly string countLeased = $"SELECT count(*) FROM {database.Prefix}delays WHERE app = @app AND claimed = 1 AND turn > @now";

    // The row numbers of the damaged rows that the last claim found.
    private volatile IReadOnlySet<long> damaged = new HashSet<long>();

    /// <summary>Gets the problems of the file; empty if there are none.</summary>
    public IReadOnlyCollection<string> Problems => damaged is { Count: > 0 } found
        ? [$"The SQLite database is damaged where {found.Count} delayed events are stored (table {database.Prefix}delays, seq "
            + $"{string.Join(", ", found.Take(MaxNamedRows))}): they are not published. Restore it from a backup, or recover what is left "
            + "with '.recover' of the sqlite3 program."]
        : [];

    public override async ValueTask AddAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken cancellationToken)
    {
        var (attributes, body) = (StoreFormat.WriteAttributes(envelope), SqlEnvelope.BodyOf(envelope));
        await database.WriteOrWithdrawAsync(
            session => session.Prepare(add)
                .Set("@event", envelope.Id)
                .Set("@name", envelope.Name)
                .Set("@due", dueAt)
                .Set("@attributes", attributes)
                .Set("@body", body)
                .ExecuteAsync(),
            cancellationToken);
    }

    public override async ValueTask<DueBatch<Envelope>> ClaimDueAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken)
    {
        try
        {
            var batch = await database.WriteAsync(
                session => ClaimAsync(
                    session,
                    () => session.Prepare(due).Set("@now", now).Set("@max", max).ListAsync(Read),
                    now.Plus(lease)), cancellationToken);
            if (damaged.Count > 0)
            {
                damaged = new HashSet<long>();
            }

            return batch;
        }
        catch (Exception exception) when (database.IsDamage(exception))
        {
            return await ClaimOneByOneAsync(now, lease, max, cancellationToken);
        }
    }

    private async ValueTask<DueBatch<Envelope>> ClaimAsync(
        SqlSession session,
        Func<ValueTask<List<(long Seq, Envelope Envelope)>>> find,
        DateTimeOffset until)
    {
        var found = await find();
        foreach (var (seq, _) in found)
        {
            await session.Prepare(claim).Set("@seq", seq).Set("@until", until).ExecuteAsync();
        }

        return new DueBatch<Envelope>([.. found.Select(item => item.Envelope)], (await session.Prepare(next).NumberAsync()).ToTime());
    }

    /// <summary>
    /// Claims the due rows one by one. A row that is damaged on the disk cannot be leased, so it is not returned: it
    /// stays for a recovery of the file, and the other rows are claimed as usual.
    /// </summary>
    private async ValueTask<DueBatch<Envelope>> ClaimOneByOneAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken)
    {
        var claimed = new List<Envelope>();
        var found = new HashSet<long>();
        var due = await database.ReadAsync(
            session => session.Prepare(selectDueRows)
                .Set("@now", now)
                .Set("@max", int.MaxValue)
                .ListAsync(static reader => reader.GetInt64(0)),
            cancellationToken);
        foreach (var seq in due)
        {
            try
            {
                var batch = await database.WriteAsync(
                    session => ClaimAsync(session, () => session.Prepare(one).Set("@seq", seq).ListAsync(Read), now.Plus(lease)),
                    cancellationToken);
                claimed.AddRange(batch.Entries);
            }
            catch (Exception exception) when (database.IsDamage(exception))
            {
                // The row stays due, but it is not counted as the next due time, so that the store is not polled again
                // at once.
                found.Add(seq);
                if (!damaged.Contains(seq))
                {
                    log.DelayedDamaged(seq, database.Prefix, exception.Message);
                }
            }

            if (claimed.Count == max)
            {
                break;
            }
        }

        damaged = found;
        return new DueBatch<Envelope>(claimed, null);
    }

    private static DelayedEvent ReadEntry(DbDataReader reader)
    {
        var row = new SqlRow(reader);
        var (id, name, dueAt) = (row.Text(), row.Text(), row.Time());
        var key = reader.FieldCount > 3 ? SqlEnvelope.Read(row.Bytes(), [], id, name, row.Defect).Key : null;
        return new DelayedEvent { EventId = id, EventName = name, Key = key, DueAt = dueAt };
    }

    private static (long Seq, Envelope Envelope) Read(DbDataReader reader)
    {
        var row = new SqlRow(reader);
        var (seq, id, name, attributes, body) = (row.Number(), row.Text(), row.Text(), row.Bytes(), row.Bytes());
        return (seq, SqlEnvelope.Read(attributes, body, id, name, row.Defect));
    }

    public override async ValueTask RemoveAsync(Envelope envelope, CancellationToken cancellationToken) =>
        await database.WriteAsync(session => session.Prepare(remove).Set("@event", envelope.Id).ExecuteAsync(), cancellationToken);

    public override async ValueTask<IReadOnlyList<DelayedEvent>> ListAsync(int max, CancellationToken cancellationToken)
    {
        try
        {
            return await database.ReadAsync(session => session.Prepare(list).Set("@max", max).ListAsync(ReadEntry), cancellationToken);
        }
        catch (Exception exception) when (database.IsDamage(exception))
        {
            // The events are listed without their attributes, which may lie in a damaged part of the file.
            return await database.ReadAsync(
                session => session.Prepare(listWithoutAttributes).Set("@max", max).ListAsync(ReadEntry),
                cancellationToken);
        }
    }

    public override async ValueTask<bool> CancelAsync(string eventId, CancellationToken cancellationToken) =>
        await database.WriteAsync(session => session.Prepare(cancel).Set("@event", eventId).ExecuteAsync(), cancellationToken) > 0;

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(async session => await session.Prepare(count).NumberAsync() ?? 0, cancellationToken);

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) => database.ReadAsync(
        async session => (await session.Prepare(countDue).Set("@now", now).NumberAsync() ?? 0)
            + (await session.Prepare(countLeased).Set("@now", now).NumberAsync() ?? 0), cancellationToken);
}
