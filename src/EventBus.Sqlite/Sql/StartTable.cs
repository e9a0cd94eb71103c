namespace EventBus;

/// <summary>How often events were started that are not kept as entries. Each method is part of a step.</summary>
internal sealed class StartTable(string prefix)
{
    // The first start was not counted.
    private readonly string count =
        $"""
        INSERT INTO {prefix}starts (app, subscription, event_id, starts, counted_at) VALUES (@app, @subscription, @event, 2, @now)
        ON CONFLICT (app, subscription, event_id) DO UPDATE SET starts = {prefix}starts.starts + 1, counted_at = excluded.counted_at
        RETURNING starts
        """;

    private readonly string forget = $"DELETE FROM {prefix}starts WHERE app = @app AND subscription = @subscription AND event_id = @event";

    private readonly string sweep =
        $"""
        DELETE FROM {prefix}starts WHERE app = @app AND (subscription, event_id) IN (
            SELECT subscription, event_id FROM {prefix}starts WHERE app = @app AND counted_at < @before ORDER BY counted_at LIMIT @max)
        """;

    public async ValueTask<int> CountAsync(SqlSession session, string subscription, string eventId, DateTimeOffset now) =>
        (int)(await session.Prepare(count).Set("@subscription", subscription).Set("@event", eventId).Set("@now", now).NumberAsync())!.Value;

    public ValueTask<int> ForgetAsync(SqlSession session, string subscription, string eventId) =>
        session.Prepare(forget).Set("@subscription", subscription).Set("@event", eventId).ExecuteAsync();

    public ValueTask<int> SweepAsync(SqlSession session, DateTimeOffset before, int max) => session.Prepare(sweep).Set("@before", before).Set("@max", max).ExecuteAsync();
}
