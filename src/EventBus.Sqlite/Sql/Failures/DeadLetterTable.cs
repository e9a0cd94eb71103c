using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Runs the SQL statements that list, count and sweep the dead letters among the failed events, and claim their alerts.
/// Each method runs inside a step that the writer or a reader has queued (<see cref="SqlOperation"/>).
/// <see cref="FailureTable"/> lists the meanings of the columns.
/// </summary>
internal sealed class DeadLetterTable(string prefix)
{
    private const int Dead = (int)FailedEventStatus.Dead;

    private readonly string isDead = $"f.app = @app AND f.status = {Dead}";

    private readonly string selectIds = $"SELECT f.subscription, f.event_id, f.number FROM {prefix}failures f WHERE f.app = @app AND "
        + $"f.status = {Dead} AND f.number > @after";

    private readonly string selectSize =
        $"""
        SELECT sum(length(c.body)) FROM {prefix}failures f JOIN {prefix}failure_contents c ON c.seq = f.seq
        WHERE f.app = @app AND f.status = {Dead} AND f.subscription = @subscription
            AND f.reason IN ({(int)DeadLetterReason.Unreadable}, {(int)DeadLetterReason.TooLarge}, {(int)DeadLetterReason.UnknownEvent})
        AND length(c.body) > @above
        """;

    // The number of dead letters by all filters except the event id, from the table of the counts.
    private readonly string selectCount = $"SELECT sum(n) FROM {prefix}failure_counts f WHERE f.app = @app AND f.status = {Dead}";

    private readonly string selectCountOfEvent = $"SELECT count(*) FROM {prefix}failures f WHERE f.app = @app AND f.status = {Dead}";

    // The unary plus prevents SQLite from using the index by alert_at, after which it would have to sort all alerts.
    // Few alerts are leased, so reading them by number until @max are found is faster.
    private readonly string selectAlerts =
        $"""
        SELECT event_id, number, subscription, event_name FROM {prefix}failures
        WHERE app = @app AND alert_at IS NOT NULL AND +alert_at <= @now ORDER BY number LIMIT @max
        """;

    private readonly string leaseAlert =
        $"UPDATE {prefix}failures SET alert_at = @until WHERE app = @app AND subscription = @subscription AND event_id = @event";

    private readonly string selectNextAlert =
        $"SELECT alert_at FROM {prefix}failures WHERE app = @app AND alert_at IS NOT NULL ORDER BY alert_at LIMIT 1";

    private readonly string settleAlert =
        $"UPDATE {prefix}failures SET alert_at = NULL WHERE app = @app AND subscription = @subscription AND event_id = @event AND number "
            + $"= @number AND status = {Dead}";

    private readonly string selectOld = $"SELECT {FailureRow.Columns} FROM {prefix}failures WHERE app = @app AND status = {Dead} AND "
        + "last_failed_at < @before ORDER BY last_failed_at LIMIT @max";

    /// <summary>Lists the matching dead letters, the latest first.</summary>
    public async ValueTask<List<FailedEvent>> ListAsync(SqlSession session, DeadLetterFilter filter)
    {
        var before = filter.Before is null ? "" : " AND f.number < @before";
        return await KeptFailure.Rows(prefix, $"{isDead}{Where(filter)}{before} ORDER BY f.number DESC LIMIT @take")
            .ListAsync(
                session,
                statement => Filtered(statement, filter).Set("@before", filter.Before).Set("@take", filter.Take),
                static reader => KeptFailure.Read(reader).Event);
    }

    /// <summary>Lists the ids and numbers of the matching dead letters, the oldest first.</summary>
    public async ValueTask<List<(string Id, long Number)>> ListIdsAsync(SqlSession session, DeadLetterFilter filter, long after)
    {
        var before = filter.Before is null ? "" : " AND f.number < @before";
        return await Filtered(session.Prepare($"{selectIds}{Where(filter)}{before} ORDER BY f.number LIMIT @take"), filter)
            .Set("@after", after)
            .Set("@before", filter.Before)
            .Set("@take", filter.Take)
            .ListAsync(static reader =>
            {
                var row = new SqlRow(reader);
                return (FailedEvent.MakeId(row.Text(), row.Text()), row.Number());
            });
    }

    /// <summary>
    /// Gets the total size in bytes of the bodies that are larger than <paramref name="above"/> among the dead letters
    /// that could not be read.
    /// </summary>
    public async ValueTask<long> MeasureAsync(SqlSession session, string subscription, int above) =>
        await session.Prepare(selectSize).Set("@subscription", subscription).Set("@above", above).NumberAsync() ?? 0;

    public async ValueTask<FailedEvent?> FindAsync(SqlSession session, string subscription, string eventId) =>
        (await KeptFailure.Rows(prefix, $"{isDead} AND f.subscription = @subscription AND f.event_id = @event")
            .ListAsync(
                session,
                statement => statement.Set("@subscription", subscription).Set("@event", eventId),
                static reader => KeptFailure.Read(reader).Event)).FirstOrDefault();

    public async ValueTask<long> CountAsync(SqlSession session, DeadLetterFilter filter) =>
        await Filtered(session.Prepare((filter.EventId is null ? selectCount : selectCountOfEvent) + Where(filter)), filter)
            .NumberAsync() ?? 0;

    public async ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(SqlSession session, DateTimeOffset now, DateTimeOffset until, int max)
    {
        var found = await session.Prepare(selectAlerts).Set("@now", now).Set("@max", max).ListAsync(static reader =>
        {
            var row = new SqlRow(reader);
            var eventId = row.Text();
            var number = row.Number();
            var subscription = row.Text();
            var name = row.Text();
            return (EventId: eventId, Alert: new PendingAlert(FailedEvent.MakeId(subscription, eventId), number, subscription, name));
        });
        foreach (var (eventId, alert) in found)
        {
            await session.Prepare(leaseAlert)
                .Set("@subscription", alert.Subscription)
                .Set("@event", eventId)
                .Set("@until", until)
                .ExecuteAsync();
        }

        var next = await session.Prepare(selectNextAlert).NumberAsync();
        return new DueBatch<PendingAlert>([.. found.Select(item => item.Alert)], next.ToTime());
    }

    /// <summary>Records that an alert was sent, unless its entry has become a dead letter again.</summary>
    public async ValueTask SettleAlertAsync(SqlSession session, PendingAlert alert) =>
        await session.Prepare(settleAlert)
            .Set("@subscription", alert.Subscription)
            .Set("@event", EventIdOf(alert))
            .Set("@number", alert.Number)
            .ExecuteAsync();

    /// <summary>Lists dead letters whose last failure is before a time, the oldest first.</summary>
    public ValueTask<List<FailureRow>> ListOldAsync(SqlSession session, DateTimeOffset before, int max) =>
        session.Prepare(selectOld).Set("@before", before).Set("@max", max).ListAsync(FailureRow.Read);

    // The id of a dead letter is the name of its subscription, a separator and the id of its event.
    private static string EventIdOf(PendingAlert alert) => alert.Id[(alert.Subscription.Length + 1)..];

    private static SqlStatement Filtered(SqlStatement statement, DeadLetterFilter filter) =>
        statement.Set("@subscription", filter.Subscription)
            .Set("@name", filter.EventName)
            .Set("@event", filter.EventId)
            .Set("@reason", (long?)filter.Reason);

    private static string Where(DeadLetterFilter filter) =>
        (filter.Subscription is null ? "" : " AND f.subscription = @subscription")
        + (filter.EventName is null ? "" : " AND f.event_name = @name")
        + (filter.EventId is null ? "" : " AND f.event_id = @event")
        + (filter.Reason is null ? "" : " AND f.reason = @reason");
}
