using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Reads the numbers of entries of each subscription from the table that triggers maintain, and the earliest due time
/// from the index of the claims. Reads no entry.
/// </summary>
internal sealed class FailureCountQuery(string prefix)
{
    // A turn of 0 means that the entry may be claimed at once, so it says nothing about the age of the entry.
    private readonly string select =
        $"""
        SELECT c.subscription, {SumOf(FailedEventStatus.Waiting)}, {SumOf(FailedEventStatus.Parked)},
            {SumOf(FailedEventStatus.Deferred)}, {SumOf(FailedEventStatus.Dead)},
            (SELECT min(turn) FROM {prefix}failures f WHERE f.app = @app AND f.subscription = c.subscription AND f.turn > 0)
        FROM {prefix}failure_counts c WHERE c.app = @app GROUP BY c.subscription
        """;

    /// <summary>Returns the numbers of the subscriptions that have entries.</summary>
    public async ValueTask<IReadOnlyList<FailureCounts>?> ReadAsync(SqlSession session) =>
        await session.Prepare(select).ListAsync(static reader =>
        {
            var row = new SqlRow(reader);
            return new FailureCounts
            {
                Subscription = row.Text(),
                Waiting = row.Number(),
                Parked = row.Number(),
                Deferred = row.Number(),
                Dead = row.Number(),
                OldestDue = row.NumberOrNull().ToTime(),
            };
        });

    private static string SumOf(FailedEventStatus status) => $"sum(CASE WHEN c.status = {(int)status} THEN c.n ELSE 0 END)";
}
