using System.Data.Common;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Stores delayed events in a database.</summary>
internal sealed class SqlDelayStore(SqlDatabase database, ILogger log) : DelayStore
{
    private const int MaxNamedRows = 10;

    // Columns. seq: the number of the row. turn: the time at which the event is due, or at which the lease of its claim
    // ends. claimed: 1 once an instance has claimed the event; 0 if it was never claimed; 2 if it was never claimed,
    // and was added before the machine's clock was last set forward (SqlClock).
    private readonly string add =
        $"""
        INSERT INTO {database.Prefix}delays (app, event_id, event_name, turn, claimed, attributes, body)
            VALUES (@app, @event, @name, @due, 0, @attributes, @body)
        ON CONFLICT (app, event_id) DO NOTHING
        """;

    private readonly string selectDue =
        $"SELECT seq, event_id, event_name, attributes, body FROM {database.Prefix}delays WHERE app = @app AND turn <= @now ORDER BY "
            + "turn, seq LIMIT @max";
    private readonly string selectDueRows =
        $"SELECT seq FROM {database.Prefix}delays WHERE app = @app AND turn <= @now ORDER BY turn, seq LIMIT @max";
    private readonly string selectRow =
        $"SELECT seq, event_id, event_name, attributes, body FROM {database.Prefix}delays WHERE app = @app AND seq = @seq";
    private readonly string claim = $"UPDATE {database.Prefix}delays SET claimed = 1, turn = @until WHERE seq = @seq";
    private readonly string selectNextTurn = $"SELECT turn FROM {database.Prefix}delays WHERE app = @app ORDER BY turn LIMIT 1";
    private readonly string remove = $"DELETE FROM {database.Prefix}delays WHERE app = @app AND event_id = @event";
    private readonly string cancel = $"DELETE FROM {database.Prefix}delays WHERE app = @app AND event_id = @event AND claimed <> 1";
    private readonly string list = $"SELECT event_id, event_name, turn, attributes FROM {database.Prefix}delays WHERE app = @app AND "
        + "claimed <> 1 ORDER BY turn, seq LIMIT @max";
    private readonly string listWithoutAttributes =
        $"SELECT event_id, event_name, turn FROM {database.Prefix}delays WHERE app = @app AND claimed <> 1 ORDER BY turn, seq LIMIT @max";
    private readonly string count = $"SELECT n FROM {database.Prefix}delay_counts WHERE app = @app";

    // Claimed events count as due, because they are not published yet.
    private readonly string countDue = $"SELECT count(*) FROM {database.Prefix}delays WHERE app = @app AND turn <= @now";
    private readonly string countLeased = $"SELECT count(*) FROM {database.Prefix}delays WHERE app = @app AND claimed = 1 AND turn > @now";

    // The numbers of the damaged rows that the last claim found.
    private volatile IReadOnlySet<long> damagedRows = new HashSet<long>();

    /// <summary>Gets the problems of the file; empty if there are none.</summary>
    public IReadOnlyCollection<string> Problems
    {
        get
        {
            var rows = damagedRows;
            if (rows.Count == 0)
            {
                return [];
            }

            return
            [
                $"The SQLite database is damaged where {rows.Count} delayed events are stored (table {database.Prefix}delays, seq "
                    + $"{string.Join(", ", rows.Take(MaxNamedRows))}): they are not published. Restore it from a backup, or recover "
                    + "what is left with '.recover' of the sqlite3 program.",
            ];
        }
    }

    public override async ValueTask AddAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken cancellationToken)
    {
        var attributes = StoreFormat.WriteAttributes(envelope);
        var body = SqlEnvelope.BodyOf(envelope);
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
                    () => session.Prepare(selectDue).Set("@now", now).Set("@max", max).ListAsync(Read),
                    now.Plus(lease)), cancellationToken);
            if (damagedRows.Count > 0)
            {
                damagedRows = new HashSet<long>();
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

        var nextTurn = await session.Prepare(selectNextTurn).NumberAsync();
        return new DueBatch<Envelope>([.. found.Select(item => item.Envelope)], nextTurn.ToTime());
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
        var foundDamaged = new HashSet<long>();
        var dueRows = await database.ReadAsync(
            session => session.Prepare(selectDueRows)
                .Set("@now", now)
                .Set("@max", int.MaxValue)
                .ListAsync(static reader => reader.GetInt64(0)),
            cancellationToken);
        foreach (var seq in dueRows)
        {
            try
            {
                var batch = await database.WriteAsync(
                    session => ClaimAsync(session, () => session.Prepare(selectRow).Set("@seq", seq).ListAsync(Read), now.Plus(lease)),
                    cancellationToken);
                claimed.AddRange(batch.Entries);
            }
            catch (Exception exception) when (database.IsDamage(exception))
            {
                foundDamaged.Add(seq);
                if (!damagedRows.Contains(seq))
                {
                    log.DelayedDamaged(seq, database.Prefix, exception.Message);
                }
            }

            if (claimed.Count == max)
            {
                break;
            }
        }

        damagedRows = foundDamaged;

        // Without a next due time the scheduler polls after its interval. The damaged rows stay due, so with their time
        // it would poll at once, again and again.
        return new DueBatch<Envelope>(claimed, null);
    }

    private static DelayedEvent ReadEntry(DbDataReader reader)
    {
        var row = new SqlRow(reader);
        var id = row.Text();
        var name = row.Text();
        var dueAt = row.Time();

        // The key is one of the attributes, the fourth column.
        var hasAttributes = reader.FieldCount > 3;
        var key = hasAttributes ? SqlEnvelope.Read(row.Bytes(), [], id, name, row.Defect).Key : null;
        return new DelayedEvent { EventId = id, EventName = name, Key = key, DueAt = dueAt };
    }

    private static (long Seq, Envelope Envelope) Read(DbDataReader reader)
    {
        var row = new SqlRow(reader);
        var seq = row.Number();
        var id = row.Text();
        var name = row.Text();
        var attributes = row.Bytes();
        var body = row.Bytes();
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
