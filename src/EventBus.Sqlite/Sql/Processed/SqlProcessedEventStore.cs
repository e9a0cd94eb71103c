using System.Data.Common;
using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Stores the handled events in a database. The effects of a handler can run in the transaction that marks its event as
/// handled.
/// </summary>
internal sealed class SqlProcessedEventStore(SqlDatabase database) : ProcessedEventStore
{
    // The time that a claim is kept after the end of its lease. It no longer blocks other attempts, but a slow owner
    // may still complete it. A claim remains if its process ended during the attempt, and the event was not attempted
    // again.
    private static readonly TimeSpan AbandonedRetention = TimeSpan.FromDays(1);

    private readonly SqlCounters counters = new(database.Prefix);

    // Columns: fence is the fencing token of the last claim; done is 1 if the event was handled; until is the end of
    // the lease of a claim, or of the retention of a handled event; outbox holds the follow-up events that are not sent
    // yet.
    private readonly string find = $"SELECT fence, fingerprint, done, until, outbox FROM {database.Prefix}processed WHERE app = @app AND "
        + "subscription = @subscription AND event_key = @key";

    private readonly string claim =
        $"""
        INSERT INTO {database.Prefix}processed (app, subscription, event_key, fence, fingerprint, done, until)
            VALUES (@app, @subscription, @key, @fence, @fingerprint, 0, @until)
        ON CONFLICT (app, subscription, event_key) DO UPDATE SET fence = excluded.fence, fingerprint = excluded.fingerprint,
            until = excluded.until
        """;

    private readonly string renew = $"UPDATE {database.Prefix}processed SET until = @until {Held}";
    private readonly string complete = $"UPDATE {database.Prefix}processed SET done = 1, until = @until, outbox = @outbox {Held}";
    private readonly string release = $"DELETE FROM {database.Prefix}processed {Held}";
    private readonly string dispatched =
        $"UPDATE {database.Prefix}processed SET outbox = NULL WHERE app = @app AND subscription = @subscription AND event_key = @key AND "
            + "done = 1 AND outbox IS NOT NULL";

    private readonly string sweepDone = Sweep(database.Prefix, "done = 1 AND outbox IS NULL");
    private readonly string sweepAbandoned = Sweep(database.Prefix, "done = 0");

    private readonly string count = $"SELECT n FROM {database.Prefix}processed_counts WHERE app = @app";

    public override bool SupportsTransactions => true;

    // The condition that a claim is still held.
    private static string Held => "WHERE app = @app AND subscription = @subscription AND event_key = @key AND fence = @fence AND done = 0";

    public override ValueTask<ProcessedClaim> ClaimAsync(
        ProcessedKey key,
        long fingerprint,
        DateTimeOffset now,
        TimeSpan lease,
        CancellationToken cancellationToken) =>
        database.WriteAsync(async session =>
        {
            var stored = await OfKey(session, find, key).FirstAsync(reader => Read(reader, key));
            if (stored is not null && (stored.IsDone || stored.Until > now.UtcTicks))
            {
                var state = stored.IsDone ? ProcessedState.Done : ProcessedState.InProgress;
                var outbox = stored.Outbox is null ? [] : StoreFormat.ReadOutbox(stored.Outbox, key.Key);
                return new ProcessedClaim(state, 0, stored.Fingerprint, outbox);
            }

            var fencingToken = await counters.NextAsync(session, SqlSchema.FenceNumber);
            await OfKey(session, claim, key)
                .Set("@fence", fencingToken)
                .Set("@fingerprint", fingerprint)
                .Set("@until", now.Plus(lease))
                .ExecuteAsync();
            return new ProcessedClaim(ProcessedState.New, fencingToken, fingerprint, []);
        }, cancellationToken);

    public override async ValueTask<bool> RenewAsync(
        ProcessedKey key,
        long fencingToken,
        DateTimeOffset until,
        CancellationToken cancellationToken) =>
        await database.WriteAsync(
            session => OfKey(session, renew, key).Set("@fence", fencingToken).Set("@until", until).ExecuteAsync(),
            cancellationToken) > 0;

    public override ValueTask<bool> CompleteAsync(
        ProcessedKey key, long fencingToken, Completion completion, CancellationToken cancellationToken)
    {
        var outbox = completion.Outbox.Count > 0 ? StoreFormat.WriteOutbox(completion.Outbox) : null;
        return database.WriteAsync(async session =>
        {
            var completed = await OfKey(session, complete, key)
                .Set("@fence", fencingToken)
                .Set("@until", completion.KeepUntil)
                .Set("@outbox", outbox)
                .ExecuteAsync();
            if (completed > 0)
            {
                if (completion.Effects.Count > 0)
                {
                    await database.RunEffectsAsync(session, completion.Effects, cancellationToken);
                }

                return true;
            }

            // The call may be a repeat: the first call succeeded, but its answer was lost. The repeat gets the same
            // answer.
            var stored = await OfKey(session, find, key).FirstAsync(reader => Read(reader, key));
            return stored is { IsDone: true } && stored.FencingToken == fencingToken;
        }, cancellationToken);
    }

    public override async ValueTask MarkDispatchedAsync(ProcessedKey key, CancellationToken cancellationToken) =>
        await database.WriteAsync(session => OfKey(session, dispatched, key).ExecuteAsync(), cancellationToken);

    public override async ValueTask ReleaseAsync(ProcessedKey key, long fencingToken, CancellationToken cancellationToken) =>
        await database.WriteAsync(session => OfKey(session, release, key).Set("@fence", fencingToken).ExecuteAsync(), cancellationToken);

    public override async ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken)
    {
        var removed = await SweepAsync(sweepDone, now, max, cancellationToken);
        return removed + await SweepAsync(sweepAbandoned, now - AbandonedRetention, max - removed, cancellationToken);
    }

    private ValueTask<int> SweepAsync(string statement, DateTimeOffset before, int max, CancellationToken cancellationToken) =>
        database.SweepAsync(
            (session, size) => session.Prepare(statement).Set("@before", before).Set("@max", size).ExecuteAsync(),
            max,
            cancellationToken);

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(async session => await session.Prepare(count).NumberAsync() ?? 0, cancellationToken);

    private static string Sweep(string prefix, string condition) =>
        $"""
        DELETE FROM {prefix}processed WHERE app = @app AND (subscription, event_key) IN (
            SELECT subscription, event_key FROM {prefix}processed WHERE app = @app AND {condition} AND until <= @before
                ORDER BY until LIMIT @max)
        """;

    private static SqlStatement OfKey(SqlSession session, string sql, ProcessedKey key) =>
        session.Prepare(sql).Set("@subscription", key.Subscription).Set("@key", key.Key);

    private static StoredKey Read(DbDataReader reader, ProcessedKey key)
    {
        var row = new SqlRow(reader);
        var stored = new StoredKey(row.Number(), row.Number(), row.Number() != 0, row.Number(), row.BytesOrNull());
        if (row.Defect is not null)
        {
            throw new StoreRefusedException(
                StoreScope.Entry,
                $"The key '{key.Key}' of the subscription '{key.Subscription}' cannot be read. {row.Defect}");
        }

        return stored;
    }

    private sealed record StoredKey(long FencingToken, long Fingerprint, bool IsDone, long Until, byte[]? Outbox);
}
