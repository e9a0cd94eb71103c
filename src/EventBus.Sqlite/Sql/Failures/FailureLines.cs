using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Runs the SQL statements about the lines of the failed events: a failed event of a key, and the later events of the
/// key that are parked behind it. Each method runs inside a step that the writer has queued
/// (<see cref="SqlOperation"/>). <see cref="FailureTable"/> lists the meanings of the columns.
/// </summary>
internal sealed class FailureLines(string prefix)
{
    private const int Parked = (int)FailedEventStatus.Parked;
    private const int Dead = (int)FailedEventStatus.Dead;

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

    public async ValueTask<bool> ExistsAsync(SqlSession session, string subscription, string line) =>
        await OfLine(session, selectLine, subscription, line).NumberAsync() is not null;

    /// <summary>Counts the parked entries of a line, up to a limit.</summary>
    public async ValueTask<long> CountParkedAsync(SqlSession session, string subscription, string line, int limit) =>
        await OfLine(session, countParked, subscription, line).Set("@limit", limit).NumberAsync() ?? 0;

    /// <summary>Lets the first entry of a line be claimed, because the entry before it was removed.</summary>
    public async ValueTask PromoteAsync(SqlSession session, string subscription, string line) =>
        await OfLine(session, promote, subscription, line).ExecuteAsync();

    private static SqlStatement OfLine(SqlSession session, string sql, string subscription, string line) =>
        session.Prepare(sql).Set("@subscription", subscription).Set("@line", line);
}
