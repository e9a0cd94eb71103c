using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Stores the state of the order guards for each order key, and finds the deferred entries of a key. Each method runs
/// inside a step that the writer or a reader has queued (<see cref="SqlOperation"/>).
/// </summary>
/// <remarks>
/// The column <c>stamp</c> counts the settled events of a key, and <c>position</c> stores the highest sequence number
/// among them, NULL for events without a number. <see cref="FailureTable"/> lists the columns of the failed events.
/// </remarks>
internal sealed class OrderTable(string prefix)
{
    private const int Deferred = (int)FailedEventStatus.Deferred;

    private readonly string selectState =
        $"SELECT stamp, position FROM {prefix}order_keys WHERE app = @app AND subscription = @subscription AND order_key = @order";

    private readonly string raise =
        $"""
        INSERT INTO {prefix}order_keys (app, subscription, order_key, stamp, position, changed_at)
            VALUES (@app, @subscription, @order, 1, @position, @now)
        ON CONFLICT (app, subscription, order_key) DO UPDATE SET
            stamp = {prefix}order_keys.stamp + 1, changed_at = excluded.changed_at,
            position = CASE WHEN {prefix}order_keys.position >= excluded.position OR excluded.position IS NULL
                THEN {prefix}order_keys.position ELSE excluded.position END
        """;

    private readonly string countDeferred =
        $"SELECT count(*) FROM (SELECT 1 FROM {prefix}failures WHERE app = @app AND subscription = @subscription AND order_key = @order "
            + $"AND status = {Deferred} LIMIT @limit) AS found";

    // The condition on the status holds for every row. It lets the index find the positions, which follow the status.
    private readonly string selectLower =
        $"""
        SELECT 1 FROM {prefix}failures
        WHERE app = @app AND subscription = @subscription AND order_key = @order AND status IN (0, 1, 2, 3) AND position < @position LIMIT 1
        """;

    // Makes the deferred entries without a position due, and of the others the one with the lowest position. Claimed
    // entries are skipped, because their owner evaluates them again in any case.
    private readonly string wake =
        $"""
        UPDATE {prefix}failures SET
            due_at = CASE WHEN due_at > @now THEN @now ELSE due_at END, turn = CASE WHEN turn > @now THEN @now ELSE turn END
        WHERE turn IS NOT NULL AND seq IN (
            SELECT seq FROM {prefix}failures WHERE {DeferredOfKey} AND position IS NULL
            UNION ALL SELECT seq FROM (SELECT seq FROM {prefix}failures WHERE {DeferredOfKey} AND position IS NOT NULL
                ORDER BY position, seq LIMIT 1) AS lowest)
        """;

    // Order keys with deferred entries are not removed.
    private readonly string sweep =
        $"""
        DELETE FROM {prefix}order_keys WHERE app = @app AND (subscription, order_key) IN (
            SELECT o.subscription, o.order_key FROM {prefix}order_keys o WHERE o.app = @app AND o.changed_at < @before
                AND NOT EXISTS (SELECT 1 FROM {prefix}failures f WHERE f.app = @app AND f.subscription = o.subscription
                    AND f.order_key = o.order_key AND f.status = {Deferred})
            ORDER BY o.changed_at LIMIT @max)
        """;

    private static string DeferredOfKey =>
        $"app = @app AND subscription = @subscription AND order_key = @order AND status = {Deferred} AND claim = 0";

    /// <summary>Gets the state of a key; 0 and null if no event of the key was processed.</summary>
    public ValueTask<(long Stamp, long? Position)> StateAsync(SqlSession session, string subscription, string orderKey) =>
        OfKey(session, selectState, subscription, orderKey).FirstAsync(static reader =>
        {
            var row = new SqlRow(reader);
            return (row.Number(), row.NumberOrNull());
        });

    /// <summary>
    /// Records that an event of a key was processed: raises the stamp, and the position if the given one is higher.
    /// </summary>
    public async ValueTask RaiseAsync(SqlSession session, string subscription, string orderKey, long? position, DateTimeOffset now) =>
        await OfKey(session, raise, subscription, orderKey).Set("@position", position).Set("@now", now).ExecuteAsync();

    /// <summary>Counts the deferred events of a key, up to a limit.</summary>
    public async ValueTask<long> CountDeferredAsync(SqlSession session, string subscription, string orderKey, int limit) =>
        await OfKey(session, countDeferred, subscription, orderKey).Set("@limit", limit).NumberAsync() ?? 0;

    /// <summary>Returns true if an entry of the key has a lower position.</summary>
    public async ValueTask<bool> HasLowerAsync(SqlSession session, string subscription, string orderKey, long position) =>
        await OfKey(session, selectLower, subscription, orderKey).Set("@position", position).NumberAsync() is not null;

    /// <summary>Makes deferred entries of a key due. Returns true if there was one.</summary>
    public async ValueTask<bool> WakeAsync(SqlSession session, string subscription, string orderKey, DateTimeOffset now) =>
        await OfKey(session, wake, subscription, orderKey).Set("@now", now).ExecuteAsync() > 0;

    public ValueTask<int> SweepAsync(SqlSession session, DateTimeOffset before, int max) =>
        session.Prepare(sweep).Set("@before", before).Set("@max", max).ExecuteAsync();

    private static SqlStatement OfKey(SqlSession session, string sql, string subscription, string orderKey) =>
        session.Prepare(sql).Set("@subscription", subscription).Set("@order", orderKey);
}
