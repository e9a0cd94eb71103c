using System.Data.Common;
using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Counts the attempts of events that are not stored as failed events. Each method runs inside a step that the writer
/// has queued (<see cref="SqlOperation"/>).
/// </summary>
/// <remarks>
/// The column <c>starts</c> stores <see cref="AttemptCount.Attempts"/>, <c>accompanied</c> stores
/// <see cref="AttemptCount.Concurrent"/>, and <c>counted_at</c> the time of the last change.
/// </remarks>
internal sealed class AttemptTable(string prefix)
{
    private readonly string find =
        $"SELECT starts, accompanied FROM {prefix}starts WHERE app = @app AND subscription = @subscription AND event_id = @event";

    private readonly string keep =
        $"""
        INSERT INTO {prefix}starts (app, subscription, event_id, starts, accompanied, counted_at)
            VALUES (@app, @subscription, @event, @starts, @accompanied, @now)
        ON CONFLICT (app, subscription, event_id) DO UPDATE SET starts = excluded.starts, accompanied = excluded.accompanied,
            counted_at = excluded.counted_at
        """;

    private readonly string forget = $"DELETE FROM {prefix}starts WHERE app = @app AND subscription = @subscription AND event_id = @event";

    private readonly string sweep =
        $"""
        DELETE FROM {prefix}starts WHERE app = @app AND (subscription, event_id) IN (
            SELECT subscription, event_id FROM {prefix}starts WHERE app = @app AND counted_at < @before ORDER BY counted_at LIMIT @max)
        """;

    /// <summary>Adds attempts to the count of an event, and returns the new count.</summary>
    public async ValueTask<AttemptCount> CountAsync(
        SqlSession session,
        string subscription,
        string eventId,
        AttemptCount added,
        DateTimeOffset now)
    {
        var stored = await session.Prepare(find)
            .Set("@subscription", subscription)
            .Set("@event", eventId)
            .FirstAsync<AttemptCount?>(reader => Read(reader));

        // The first attempt is not written to the table, so an event without a row has had one attempt.
        var before = stored ?? new AttemptCount(1, 0);
        if (added == default || (stored is null && added.Attempts == 0))
        {
            return before;
        }

        var count = new AttemptCount(before.Attempts + added.Attempts, before.Concurrent + added.Concurrent);
        await session.Prepare(keep)
            .Set("@subscription", subscription)
            .Set("@event", eventId)
            .Set("@starts", count.Attempts)
            .Set("@accompanied", count.Concurrent)
            .Set("@now", now)
            .ExecuteAsync();
        return count;
    }

    public ValueTask<int> ForgetAsync(SqlSession session, string subscription, string eventId) =>
        session.Prepare(forget).Set("@subscription", subscription).Set("@event", eventId).ExecuteAsync();

    public ValueTask<int> SweepAsync(SqlSession session, DateTimeOffset before, int max) =>
        session.Prepare(sweep).Set("@before", before).Set("@max", max).ExecuteAsync();

    private static AttemptCount Read(DbDataReader reader)
    {
        var row = new SqlRow(reader);
        return new AttemptCount(row.NonNegativeInt(), row.NonNegativeInt());
    }
}
