using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Stores the failed events of all applications in a database, and keeps the order of each line: a failed event of a
/// key, and the later events of the key that are parked behind it. Each method runs inside a step that the writer or a
/// reader has queued (<see cref="SqlOperation"/>).
/// </summary>
/// <remarks>
/// The columns of the table, with the members of <see cref="FailedEvent"/> that they store:
/// <c>seq</c>: the number of the row; the entries of a line are in this order.
/// <c>app</c>: the number of the application; <see cref="SqlSession.Prepare"/> sets <c>@app</c> in every statement.
/// <c>turn</c>: the time at which the entry may be claimed, or at which the lease of its claim ends, in UTC ticks;
/// 0 for at once; NULL if it must not be claimed, because it is dead or behind another entry of its line.
/// <c>claim</c>: <c>Claim</c>, the number of the current claim; 0 if it is not claimed.
/// <c>number</c>: <c>Number</c>, which numbers the dead letters in their order; 0 if the entry is not dead.
/// <c>position</c>: <c>Position</c>, the sequence number of the event among the events of its order key.
/// <c>starts</c>: <c>Attempts</c>. <c>accompanied</c>: <c>Concurrent</c>. <c>replays</c>: <c>ManualRetries</c>.
/// <c>alert_at</c>: the time at which the alert may be sent, or at which its lease ends; 0 for at once; NULL if no
/// alert is needed (<c>NeedsAlert</c>).
/// </remarks>
internal sealed class FailureTable(string prefix)
{
    private const int Waiting = (int)FailedEventStatus.Waiting;

    private readonly SqlCounters counters = new(prefix);
    private readonly FailureLines lines = new(prefix);
    private readonly FailureContentTable contentTable = new(prefix);

    private readonly string find =
        $"SELECT {FailureRow.Columns} FROM {prefix}failures WHERE app = @app AND subscription = @subscription AND event_id = @event";

    // An entry joins its line at the end. It may be claimed only if the line was empty.
    private readonly string insert =
        $"""
        INSERT INTO {prefix}failures (
            app, subscription, event_id, event_name, status, claim, turn, due_at, deadline, line_key, order_key, position, starts,
            accompanied, replays, reason,
            number, alert_at, first_failed_at, last_failed_at, error, error_type)
        VALUES (
            @app, @subscription, @event, @name, @status, 0,
            CASE WHEN EXISTS (SELECT 1 FROM {prefix}failures WHERE app = @app AND subscription = @subscription AND line_key = @line)
                THEN NULL ELSE @turn END,
            @due, @deadline, @line, @order, @position, @starts, @accompanied, @replays, @reason, @number, @alert, @first, @last, @error,
            @errorType)
        RETURNING seq
        """;

    private readonly string update =
        $"""
        UPDATE {prefix}failures SET
            event_name = @name, status = @status, claim = 0,
            turn = CASE WHEN EXISTS (SELECT 1 FROM {prefix}failures WHERE app = @app AND subscription = @subscription
                AND line_key = @line AND seq < @seq) THEN NULL ELSE @turn END,
            due_at = @due, deadline = @deadline, order_key = @order, position = @position, starts = @starts, accompanied = @accompanied,
            replays = @replays, reason = @reason,
            number = @number, alert_at = @alert, first_failed_at = @first, last_failed_at = @last, error = @error,
            error_type = @errorType
        WHERE seq = @seq
        """;

    private readonly string remove = $"DELETE FROM {prefix}failures WHERE seq = @seq";

    private readonly string count = $"SELECT sum(n) FROM {prefix}failure_counts WHERE app = @app";

    private readonly string retry =
        $"""
        UPDATE {prefix}failures SET
            status = {Waiting}, starts = 0, accompanied = 0, replays = replays + 1, deadline = NULL, due_at = @now, number = 0,
            alert_at = NULL,
            turn = CASE WHEN EXISTS (SELECT 1 FROM {prefix}failures WHERE app = @app AND subscription = @subscription
                AND line_key = @line AND seq < @seq) THEN NULL ELSE @now END
        WHERE seq = @seq
        """;

    public ValueTask<FailureRow?> FindAsync(SqlSession session, string subscription, string eventId) =>
        session.Prepare(find).Set("@subscription", subscription).Set("@event", eventId).FirstAsync<FailureRow?>(FailureRow.Read);

    /// <summary>
    /// Stores an entry, and replaces the row that was stored for it before. The stored entry is not claimed: this ends
    /// the claim of the caller.
    /// </summary>
    /// <param name="session">The session.</param>
    /// <param name="kept">The row that is stored for the entry; null if there is none.</param>
    /// <param name="entry">
    /// The entry. If <paramref name="contents"/> is null, it must be in the same line as <paramref name="kept"/>: an
    /// entry that changes its line is inserted again, which needs the contents.
    /// </param>
    /// <param name="contents">The large parts of the entry; null to leave the stored ones unchanged.</param>
    public async ValueTask KeepAsync(SqlSession session, FailureRow? kept, FailedEvent entry, FailureContents? contents)
    {
        if (kept is not null && kept.LineKey == entry.LineKey)
        {
            var updateEntry = await PrepareAsync(session, update, entry);
            await updateEntry.Set("@seq", kept.Seq).ExecuteAsync();
            if (contents is { } changed)
            {
                await contentTable.UpdateAsync(session, kept.Seq, entry, changed);
            }

            return;
        }

        // The entry joins its new line at the end.
        if (kept is not null)
        {
            await RemoveAsync(session, kept);
        }

        var insertEntry = await PrepareAsync(session, insert, entry);
        var seq = await insertEntry.NumberAsync();
        await contentTable.InsertAsync(session, seq!.Value, entry, contents!.Value);
    }

    /// <summary>Removes an entry. The next entry of its line becomes due.</summary>
    public async ValueTask RemoveAsync(SqlSession session, FailureRow kept)
    {
        await session.Prepare(remove).Set("@seq", kept.Seq).ExecuteAsync();
        await contentTable.RemoveAsync(session, kept.Seq);
        if (kept.LineKey is { } line)
        {
            await lines.PromoteAsync(session, kept.Subscription, line);
        }
    }

    public async ValueTask<long> CountAsync(SqlSession session) => await session.Prepare(count).NumberAsync() ?? 0;

    public async ValueTask RetryDeadAsync(SqlSession session, FailureRow dead, DateTimeOffset now) =>
        await session.Prepare(retry)
            .Set("@seq", dead.Seq)
            .Set("@subscription", dead.Subscription)
            .Set("@line", dead.LineKey)
            .Set("@now", now)
            .ExecuteAsync();

    /// <summary>Prepares a statement that writes the columns of an entry.</summary>
    private async ValueTask<SqlStatement> PrepareAsync(SqlSession session, string sql, FailedEvent entry)
    {
        var isDead = entry.Status == FailedEventStatus.Dead;
        var deadNumber = isDead ? await counters.NextAsync(session, SqlSchema.DeadNumber) : 0;
        long? alertAt = isDead && entry.NeedsAlert ? 0 : null;
        return session.Prepare(sql)
            .Set("@subscription", entry.Subscription)
            .Set("@event", entry.Envelope.Id)
            .Set("@name", entry.Envelope.Name)
            .Set("@status", (long)entry.Status)
            .Set("@turn", FailureRow.TurnOf(entry))
            .Set("@due", entry.DueAt)
            .Set("@deadline", entry.Deadline)
            .Set("@line", entry.LineKey)
            .Set("@order", entry.OrderKey)
            .Set("@position", entry.Position)
            .Set("@starts", entry.Attempts)
            .Set("@accompanied", entry.Concurrent)
            .Set("@replays", entry.ManualRetries)
            .Set("@reason", (long)entry.Reason)
            .Set("@number", deadNumber)
            .Set("@alert", alertAt)
            .Set("@first", entry.FirstFailedAt)
            .Set("@last", entry.LastFailedAt)
            .Set("@error", entry.Error)
            .Set("@errorType", entry.ErrorType);
    }
}
