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
    private const int Parked = (int)FailedEventStatus.Parked;
    private const int Dead = (int)FailedEventStatus.Dead;

    private readonly SqlCounters counters = new(prefix);

    private readonly string find =
        $"SELECT {FailureRow.Columns} FROM {prefix}failures WHERE app = @app AND subscription = @subscription AND event_id = @event";

    // An entry joins its line at the end. It may be claimed only if the line was empty.
    private readonly string insert =
        $"""
        INSERT INTO {prefix}failures (
            app, subscription, event_id, event_name, status, claim, turn, due_at, deadline, line_key, order_key, position, starts,
            accompanied, replays, reason,
            number, alert_at, first_failed_at, last_failed_at, error)
        VALUES (
            @app, @subscription, @event, @name, @status, 0,
            CASE WHEN EXISTS (SELECT 1 FROM {prefix}failures WHERE app = @app AND subscription = @subscription AND line_key = @line)
                THEN NULL ELSE @turn END,
            @due, @deadline, @line, @order, @position, @starts, @accompanied, @replays, @reason, @number, @alert, @first, @last, @error)
        RETURNING seq
        """;

    private readonly string insertContents =
        $"INSERT INTO {prefix}failure_contents (seq, attributes, body, history, error_details) VALUES (@seq, @attributes, @body, "
            + "@history, @details)";

    private readonly string update =
        $"""
        UPDATE {prefix}failures SET
            event_name = @name, status = @status, claim = 0,
            turn = CASE WHEN EXISTS (SELECT 1 FROM {prefix}failures WHERE app = @app AND subscription = @subscription
                AND line_key = @line AND seq < @seq) THEN NULL ELSE @turn END,
            due_at = @due, deadline = @deadline, order_key = @order, position = @position, starts = @starts, accompanied = @accompanied,
            replays = @replays, reason = @reason,
            number = @number, alert_at = @alert, first_failed_at = @first, last_failed_at = @last, error = @error
        WHERE seq = @seq
        """;

    private readonly string updateContents =
        $"UPDATE {prefix}failure_contents SET attributes = @attributes, body = @body, history = @history, error_details = @details WHERE "
            + "seq = @seq";

    private readonly string remove = $"DELETE FROM {prefix}failures WHERE seq = @seq";

    private readonly string removeContents = $"DELETE FROM {prefix}failure_contents WHERE seq = @seq";

    // Lets the first entry of a line be claimed: a parked entry at once, a waiting entry at its own time. An entry that
    // is dead is not changed, because it needs an operator. An entry that has a turn can be claimed already.
    private readonly string promote =
        $"""
        UPDATE {prefix}failures SET turn = CASE WHEN status = {Parked} THEN 0 ELSE due_at END
        WHERE seq = (SELECT seq FROM {prefix}failures WHERE app = @app AND subscription = @subscription AND line_key = @line
            ORDER BY seq LIMIT 1) AND turn IS NULL AND status <> {Dead}
        """;

    private readonly string selectLine =
        $"SELECT 1 FROM {prefix}failures WHERE app = @app AND subscription = @subscription AND line_key = @line LIMIT 1";

    private readonly string countParked =
        $"SELECT count(*) FROM (SELECT 1 FROM {prefix}failures WHERE app = @app AND subscription = @subscription AND line_key = @line "
            + $"AND status = {Parked} LIMIT @limit) AS found";

    private readonly string selectDue = KeptFailure.Select(prefix, IsDue);

    private readonly string selectDueWithoutContents = KeptFailure.SelectWithoutContents(prefix, IsDue);

    private readonly SqlRows selectOne = KeptFailure.Rows(prefix, "f.seq = @seq");

    // A claim counts an attempt, unless it takes over an expired claim, whose attempt was counted already. A parked
    // entry that is claimed is the first of its line, so from then on it waits only for its own retries.
    private readonly string claim = $"UPDATE {prefix}failures SET status = CASE WHEN status = {Parked} THEN {Waiting} ELSE status END, "
        + "claim = @claim, turn = @until, starts = starts + CASE WHEN claim = 0 THEN 1 ELSE 0 END WHERE seq = @seq";

    private readonly string begin = $"UPDATE {prefix}failures SET starts = @starts, accompanied = @accompanied WHERE app = @app AND "
        + "subscription = @subscription AND event_id = @event AND claim = @claim";

    private readonly string nextTurn =
        $"SELECT turn FROM {prefix}failures WHERE app = @app AND subscription = @subscription AND turn IS NOT NULL ORDER BY turn LIMIT 1";

    private readonly string renew = $"UPDATE {prefix}failures SET turn = @until WHERE app = @app AND subscription = @subscription AND "
        + "event_id = @event AND claim = @claim";

    private readonly string retry =
        $"""
        UPDATE {prefix}failures SET
            status = {Waiting}, starts = 0, accompanied = 0, replays = replays + 1, deadline = NULL, due_at = @now, number = 0,
            alert_at = NULL,
            turn = CASE WHEN EXISTS (SELECT 1 FROM {prefix}failures WHERE app = @app AND subscription = @subscription
                AND line_key = @line AND seq < @seq) THEN NULL ELSE @now END
        WHERE seq = @seq
        """;

    // The condition, the order and the limit of a claim.
    private static string IsDue => "f.app = @app AND f.subscription = @subscription AND f.turn <= @now ORDER BY f.turn, f.seq LIMIT @max";

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
                await PrepareContents(session, updateContents, kept.Seq, entry, changed).ExecuteAsync();
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
        await PrepareContents(session, insertContents, seq!.Value, entry, contents!.Value).ExecuteAsync();
    }

    /// <summary>Removes an entry. The next entry of its line becomes due.</summary>
    public async ValueTask RemoveAsync(SqlSession session, FailureRow kept)
    {
        await session.Prepare(remove).Set("@seq", kept.Seq).ExecuteAsync();
        await session.Prepare(removeContents).Set("@seq", kept.Seq).ExecuteAsync();
        if (kept.LineKey is { } line)
        {
            await OfLine(session, promote, kept.Subscription, line).ExecuteAsync();
        }
    }

    public async ValueTask<bool> HasLineAsync(SqlSession session, string subscription, string line) =>
        await OfLine(session, selectLine, subscription, line).NumberAsync() is not null;

    /// <summary>Counts the parked entries of a line, up to a limit.</summary>
    public async ValueTask<long> CountParkedAsync(SqlSession session, string subscription, string line, int limit) =>
        await OfLine(session, countParked, subscription, line).Set("@limit", limit).NumberAsync() ?? 0;

    /// <summary>
    /// Claims the due entries of a subscription, each with a new number and a lease until <paramref name="until"/>.
    /// </summary>
    /// <param name="session">The session.</param>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="now">The current time.</param>
    /// <param name="until">The end of the lease.</param>
    /// <param name="max">The maximum number of entries.</param>
    /// <param name="skipContents">
    /// True to read the entries without their large parts, because a part of the file is damaged.
    /// </param>
    public async ValueTask<List<KeptFailure>> ClaimAsync(
        SqlSession session,
        string subscription,
        DateTimeOffset now,
        DateTimeOffset until,
        int max,
        bool skipContents)
    {
        var found = await session.Prepare(skipContents ? selectDueWithoutContents : selectDue)
            .Set("@subscription", subscription)
            .Set("@now", now)
            .Set("@max", max)
            .ListAsync(KeptFailure.Read);
        for (var i = 0; i < found.Count; i++)
        {
            var claimNumber = await counters.NextAsync(session, SqlSchema.ClaimNumber);
            await session.Prepare(claim).Set("@seq", found[i].Seq).Set("@claim", claimNumber).Set("@until", until).ExecuteAsync();
            found[i] = found[i].WithClaim(claimNumber);
        }

        return found;
    }

    /// <summary>
    /// Adds the large parts to an entry that was read without them. If they are damaged, the event of the entry remains
    /// a placeholder with a defect.
    /// </summary>
    public async ValueTask<KeptFailure> AddContentsAsync(SqlSession session, KeptFailure entry)
    {
        var rows = await selectOne.ListAsync(session, statement => statement.Set("@seq", entry.Seq), KeptFailure.Read);

        // If the row was removed since the claim, the entry stays as it is.
        var stored = rows.FirstOrDefault(entry).Event;
        var complete = entry.Event with { Envelope = stored.Envelope, History = stored.History, ErrorDetails = stored.ErrorDetails };
        return entry with { Event = complete };
    }

    /// <summary>Updates the attempt counts of a claimed entry. Returns false if the claim was lost.</summary>
    public async ValueTask<bool> BeginAsync(SqlSession session, FailedEvent entry) =>
        await session.Prepare(begin)
            .Set("@subscription", entry.Subscription)
            .Set("@event", entry.Envelope.Id)
            .Set("@claim", entry.Claim)
            .Set("@starts", entry.Attempts)
            .Set("@accompanied", entry.Concurrent)
            .ExecuteAsync() > 0;

    /// <summary>
    /// Gets the time at which the next entry of a subscription may be claimed or the next lease ends; null if there is
    /// none.
    /// </summary>
    public ValueTask<long?> NextTurnAsync(SqlSession session, string subscription) =>
        session.Prepare(nextTurn).Set("@subscription", subscription).NumberAsync();

    /// <summary>Renews the lease of a claimed entry. Returns false if the claim was lost.</summary>
    public async ValueTask<bool> RenewAsync(SqlSession session, FailedEvent entry, DateTimeOffset until) =>
        await session.Prepare(renew)
            .Set("@subscription", entry.Subscription)
            .Set("@event", entry.Envelope.Id)
            .Set("@claim", entry.Claim)
            .Set("@until", until)
            .ExecuteAsync() > 0;

    public async ValueTask RetryDeadAsync(SqlSession session, FailureRow dead, DateTimeOffset now) =>
        await session.Prepare(retry)
            .Set("@seq", dead.Seq)
            .Set("@subscription", dead.Subscription)
            .Set("@line", dead.LineKey)
            .Set("@now", now)
            .ExecuteAsync();

    private static SqlStatement OfLine(SqlSession session, string sql, string subscription, string line) =>
        session.Prepare(sql).Set("@subscription", subscription).Set("@line", line);

    private static SqlStatement PrepareContents(SqlSession session, string sql, long seq, FailedEvent entry, FailureContents contents) =>
        session.Prepare(sql)
            .Set("@seq", seq)
            .Set("@attributes", contents.Attributes)
            .Set("@body", contents.Body)
            .Set("@history", contents.History)
            .Set("@details", entry.ErrorDetails);

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
            .Set("@error", entry.Error);
    }
}
