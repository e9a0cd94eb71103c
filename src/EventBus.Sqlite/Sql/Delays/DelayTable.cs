using System.Data.Common;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Runs the SQL statements that add, claim, list and remove the delayed events. Each method runs inside a step that the
/// writer or a reader has queued (<see cref="SqlOperation"/>).
/// </summary>
internal sealed class DelayTable(string prefix)
{
    // Columns. seq: the number of the row. turn: the time at which the event is due, or at which the lease of its claim
    // ends. claimed: 1 once an instance has claimed the event; 0 if it was never claimed; 2 if it was never claimed,
    // and was added before the machine's clock was last set forward (SqlClock).
    private readonly string add =
        $"""
        INSERT INTO {prefix}delays (app, event_id, event_name, turn, claimed, attributes, body)
            VALUES (@app, @event, @name, @due, 0, @attributes, @body)
        ON CONFLICT (app, event_id) DO NOTHING
        """;

    private readonly string selectDue =
        $"SELECT seq, event_id, event_name, attributes, body FROM {prefix}delays WHERE app = @app AND turn <= @now ORDER BY turn, seq "
            + "LIMIT @max";
    private readonly string selectDueRows = $"SELECT seq FROM {prefix}delays WHERE app = @app AND turn <= @now ORDER BY turn, seq";
    private readonly string selectRow =
        $"SELECT seq, event_id, event_name, attributes, body FROM {prefix}delays WHERE app = @app AND seq = @seq";
    private readonly string claim = $"UPDATE {prefix}delays SET claimed = 1, turn = @until WHERE seq = @seq";
    private readonly string selectNextTurn = $"SELECT turn FROM {prefix}delays WHERE app = @app ORDER BY turn LIMIT 1";
    private readonly string remove = $"DELETE FROM {prefix}delays WHERE app = @app AND event_id = @event";
    private readonly string cancel = $"DELETE FROM {prefix}delays WHERE app = @app AND event_id = @event AND claimed <> 1";
    private readonly string list = $"SELECT event_id, event_name, turn, attributes FROM {prefix}delays WHERE app = @app AND claimed <> 1 "
        + "ORDER BY turn, seq LIMIT @max";
    private readonly string listWithoutAttributes =
        $"SELECT event_id, event_name, turn FROM {prefix}delays WHERE app = @app AND claimed <> 1 ORDER BY turn, seq LIMIT @max";
    private readonly string count = $"SELECT n FROM {prefix}delay_counts WHERE app = @app";

    // Claimed events count as due, because they are not published yet.
    private readonly string countDue = $"SELECT count(*) FROM {prefix}delays WHERE app = @app AND turn <= @now";
    private readonly string countLeased = $"SELECT count(*) FROM {prefix}delays WHERE app = @app AND claimed = 1 AND turn > @now";

    /// <summary>The name of the table.</summary>
    public string Name => $"{prefix}delays";

    /// <summary>Adds an event, unless an event with the id is stored already.</summary>
    public async ValueTask<bool> AddAsync(SqlSession session, Envelope envelope, DateTimeOffset dueAt, byte[] attributes, byte[] body) =>
        await session.Prepare(add)
            .Set("@event", envelope.Id)
            .Set("@name", envelope.Name)
            .Set("@due", dueAt)
            .Set("@attributes", attributes)
            .Set("@body", body)
            .ExecuteAsync() > 0;

    /// <summary>Claims the due events with a lease until <paramref name="until"/>.</summary>
    public async ValueTask<DueBatch<Envelope>> ClaimDueAsync(SqlSession session, DateTimeOffset now, DateTimeOffset until, int max) =>
        await ClaimAsync(session, await session.Prepare(selectDue).Set("@now", now).Set("@max", max).ListAsync(Read), until);

    /// <summary>Claims the event of a row.</summary>
    public async ValueTask<DueBatch<Envelope>> ClaimRowAsync(SqlSession session, long seq, DateTimeOffset until) =>
        await ClaimAsync(session, await session.Prepare(selectRow).Set("@seq", seq).ListAsync(Read), until);

    /// <summary>Lists the numbers of the rows that are due.</summary>
    public ValueTask<List<long>> ListDueRowsAsync(SqlSession session, DateTimeOffset now) =>
        session.Prepare(selectDueRows).Set("@now", now).ListAsync(static reader => reader.GetInt64(0));

    public ValueTask<int> RemoveAsync(SqlSession session, string eventId) => session.Prepare(remove).Set("@event", eventId).ExecuteAsync();

    /// <summary>Removes an event that was never claimed. Returns false if there is none with the id.</summary>
    public async ValueTask<bool> CancelAsync(SqlSession session, string eventId) =>
        await session.Prepare(cancel).Set("@event", eventId).ExecuteAsync() > 0;

    /// <summary>Lists the events that were never claimed, the earliest first.</summary>
    /// <param name="session">The session.</param>
    /// <param name="max">The maximum number of events.</param>
    /// <param name="skipAttributes">
    /// True to read the events without their attributes, which may lie in a damaged part of the file.
    /// </param>
    public ValueTask<List<DelayedEvent>> ListAsync(SqlSession session, int max, bool skipAttributes) =>
        session.Prepare(skipAttributes ? listWithoutAttributes : list).Set("@max", max).ListAsync(ReadEntry);

    public async ValueTask<long> CountAsync(SqlSession session) => await session.Prepare(count).NumberAsync() ?? 0;

    public async ValueTask<long> CountDueAsync(SqlSession session, DateTimeOffset now) =>
        (await session.Prepare(countDue).Set("@now", now).NumberAsync() ?? 0)
            + (await session.Prepare(countLeased).Set("@now", now).NumberAsync() ?? 0);

    private async ValueTask<DueBatch<Envelope>> ClaimAsync(
        SqlSession session,
        List<(long Seq, Envelope Envelope)> found,
        DateTimeOffset until)
    {
        foreach (var (seq, _) in found)
        {
            await session.Prepare(claim).Set("@seq", seq).Set("@until", until).ExecuteAsync();
        }

        var nextTurn = await session.Prepare(selectNextTurn).NumberAsync();
        return new DueBatch<Envelope>([.. found.Select(item => item.Envelope)], nextTurn.ToTime());
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
}
