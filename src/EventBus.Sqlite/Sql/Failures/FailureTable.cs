using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Stores the failed events of all applications in a database, and their lines. Each method is part of a step.
/// </summary>
internal sealed class FailureTable(string prefix)
{
    private const int Waiting = (int)FailedEventStatus.Waiting, Parked = (int)FailedEventStatus.Parked, Dead = (int)FailedEventStatus.Dead;

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

    // Makes the head of a line due: a parked entry at once, a waiting entry at its own time. A dead head is not
    // changed: it needs an operator. A head that has a turn is due already.
    private readonly string promote =
        $"""
        UPDATE {prefix}failures SET turn = CASE WHEN status = {Parked} THEN 0 ELSE due_at END
        WHERE seq = (SELECT seq FROM {prefix}failures WHERE app = @app AND subscription = @subscription AND line_key = @line
            ORDER BY seq LIMIT 1) AND turn IS NULL AND status <> {Dead}
        """;

    private readonly string lineOf =
        $"SELECT 1 FROM {prefix}failures WHERE app = @app AND subscription = @subscription AND line_key = @line LIMIT 1";

    private readonly string parked =
        $"SELECT count(*) FROM (SELECT 1 FROM {prefix}failures WHERE app = @app AND subscription = @subscription AND line_key = @line "
            + $"AND status = {Parked} LIMIT @limit) AS found";

    private readonly string due = KeptFailure.Select(prefix, Due);

    private readonly string dueBare = KeptFailure.SelectBare(prefix, Due);

    private readonly SqlRows one = KeptFailure.Rows(prefix, "f.seq = @seq");

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

    private static string Due => "f.app = @app AND f.subscription = @subscription AND f.turn <= @now ORDER BY f.turn, f.seq LIMIT @max";

    public ValueTask<FailureRow?> FindAsync(SqlSession session, string subscription, string eventId) =>
        session.Prepare(find).Set("@subscription", subscription).Set("@event", eventId).FirstAsync<FailureRow?>(FailureRow.Read);

    /// <summary>
    /// Stores an entry, and replaces the row that was stored for it before. A claim of the entry ends.
    /// </summary>
    /// <param name="session">The session.</param>
    /// <param name="kept">The row that is stored for the entry; null if there is none.</param>
    /// <param name="entry">
    /// The entry. If <paramref name="contents"/> is null, it must be in the same line as <paramref name="kept"/>.
    /// </param>
    /// <param name="contents">The large parts of the entry; null to leave the stored ones unchanged.</param>
    public async ValueTask KeepAsync(SqlSession session, FailureRow? kept, FailedEvent entry, FailureContents? contents)
    {
        if (kept is not null && kept.LineKey == entry.LineKey)
        {
            await (await FillAsync(session, update, entry)).Set("@seq", kept.Seq).ExecuteAsync();
            if (contents is { } changed)
            {
                await FillContents(session, updateContents, kept.Seq, entry, changed).ExecuteAsync();
            }

            return;
        }

        // The entry joins its new line at the end.
        if (kept is not null)
        {
            await RemoveAsync(session, kept);
        }

        var seq = await (await FillAsync(session, insert, entry)).NumberAsync();
        await FillContents(session, insertContents, seq!.Value, entry, contents!.Value).ExecuteAsync();
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
        await OfLine(session, lineOf, subscription, line).NumberAsync() is not null;

    /// <summary>Counts the parked entries of a line, up to a limit.</summary>
    public async ValueTask<long> CountParkedAsync(SqlSession session, string subscription, string line, int limit) =>
        await OfLine(session, parked, subscription, line).Set("@limit", limit).NumberAsync() ?? 0;

    public async ValueTask<List<KeptFailure>> ClaimAsync(
        SqlSession session,
        string subscription,
        DateTimeOffset now,
        DateTimeOffset until,
        int max,
        bool bare)
    {
        var found = await session.Prepare(bare ? dueBare : due)
            .Set("@subscription", subscription)
            .Set("@now", now)
            .Set("@max", max)
            .ListAsync(KeptFailure.Read);
        for (var i = 0; i < found.Count; i++)
        {
            var (seq, turn, kept) = found[i];
            var number = await counters.NextAsync(session, SqlSchema.ClaimNumber);
            await session.Prepare(claim).Set("@seq", seq).Set("@claim", number).Set("@until", until).ExecuteAsync();
            found[i] = new KeptFailure(seq, turn, kept with
            {
                Status = kept.Status == FailedEventStatus.Parked ? FailedEventStatus.Waiting : kept.Status,
                Attempts = kept.Claim == 0 ? kept.Attempts + 1 : kept.Attempts,
                WasInterrupted = kept.Claim != 0,
                Claim = number,
            });
        }

        return found;
    }

    /// <summary>
    /// Adds the large parts to an entry that was read without them. If they are damaged, the entry stays a placeholder.
    /// </summary>
    public async ValueTask<KeptFailure> FillAsync(SqlSession session, KeptFailure bare)
    {
        var whole = (await one.ListAsync(session, statement => statement.Set("@seq", bare.Seq), KeptFailure.Read)).FirstOrDefault(bare);
        return bare with
        {
            Event = bare.Event with
            {
                Envelope = whole.Event.Envelope,
                History = whole.Event.History,
                ErrorDetails = whole.Event.ErrorDetails
            }
        };
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

    private static SqlStatement FillContents(SqlSession session, string sql, long seq, FailedEvent entry, FailureContents contents) =>
        session.Prepare(sql)
            .Set("@seq", seq)
            .Set("@attributes", contents.Attributes)
            .Set("@body", contents.Body)
            .Set("@history", contents.History)
            .Set("@details", entry.ErrorDetails);

    private async ValueTask<SqlStatement> FillAsync(SqlSession session, string sql, FailedEvent entry)
    {
        var isDead = entry.Status == FailedEventStatus.Dead;
        long? turn = isDead ? null : entry.Status == FailedEventStatus.Parked && entry.LineKey is not null ? 0 : entry.DueAt.UtcTicks;
        var number = isDead ? await counters.NextAsync(session, SqlSchema.DeadNumber) : 0;
        return session.Prepare(sql)
            .Set("@subscription", entry.Subscription).Set("@event", entry.Envelope.Id).Set("@name", entry.Envelope.Name)
            .Set("@status", (long)entry.Status).Set("@turn", turn).Set("@due", entry.DueAt).Set("@deadline", entry.Deadline)
            .Set("@line", entry.LineKey).Set("@order", entry.OrderKey).Set("@position", entry.Position)
            .Set("@starts", entry.Attempts)
            .Set("@accompanied", entry.Concurrent)
            .Set("@replays", entry.ManualRetries)
            .Set("@reason", (long)entry.Reason)
            .Set("@number", number).Set("@alert", isDead && entry.NeedsAlert ? 0 : null)
            .Set("@first", entry.FirstFailedAt).Set("@last", entry.LastFailedAt).Set("@error", entry.Error);
    }
}
