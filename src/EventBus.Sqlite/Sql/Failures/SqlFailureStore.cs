using EventBus.Stores;

namespace EventBus;

/// <summary>Stores failed events in a database.</summary>
internal sealed class SqlFailureStore : KeyedFailureStore
{
    private readonly SqlDatabase database;
    private readonly FailureTable table;
    private readonly FailureClaims claims;
    private readonly OrderTable orders;
    private readonly AttemptTable attempts;
    private readonly FailureOperations operations;
    private readonly SqlDeadLetterStore deadLetters;
    private readonly FailureCountQuery counts;

    public SqlFailureStore(SqlDatabase database)
    {
        this.database = database;
        table = new FailureTable(database.Prefix);
        claims = new FailureClaims(database.Prefix);
        orders = new OrderTable(database.Prefix);
        attempts = new AttemptTable(database.Prefix);
        operations = new FailureOperations(database.Prefix, table, orders, attempts);
        deadLetters = new SqlDeadLetterStore(database, table, orders);
        counts = new FailureCountQuery(database.Prefix);
    }

    public override DeadLetterStore DeadLetters => deadLetters;

    public override async ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        var contents = FailureContents.Of(entry);
        try
        {
            return await RecordAsync(contents);
        }
        catch (Exception exception) when (entry.Claim != 0 && database.IsDamage(exception))
        {
            // Damaged contents cannot be replaced either. The columns of the entry itself are still updated. When the
            // entry is read, its event is a placeholder with a defect.
            return await RecordAsync(null);
        }

        ValueTask<bool> RecordAsync(FailureContents? contents) =>
            database.WriteAsync(session => operations.RecordAsync(session, entry, contents), cancellationToken);
    }

    public override ValueTask<AttemptCount?> CountAttemptAsync(
        string subscription,
        string eventId,
        AttemptCount added,
        DateTimeOffset now,
        CancellationToken cancellationToken) =>
        database.WriteAsync(session => operations.CountAttemptAsync(session, subscription, eventId, added, now), cancellationToken);

    public override async ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken) =>
        await database.WriteAsync(session => attempts.ForgetAsync(session, subscription, eventId), cancellationToken);

    public override ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken)
    {
        var contents = FailureContents.Of(entry);
        return database.WriteAsync(session => operations.ParkAsync(session, entry, contents, limit), cancellationToken);
    }

    public override async ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(
        IReadOnlyCollection<string> subscriptions,
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken)
    {
        try
        {
            return await ClaimDueAsync(subscriptions, now, lease, max, skipContents: false, cancellationToken);
        }
        catch (Exception exception) when (database.IsDamage(exception))
        {
            return await ClaimDueAsync(subscriptions, now, lease, max, skipContents: true, cancellationToken);
        }
    }

    private async ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(
        IReadOnlyCollection<string> subscriptions,
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        bool skipContents,
        CancellationToken cancellationToken)
    {
        var (due, next) = await database.WriteAsync(
            session => claims.ClaimAsync(session, subscriptions, now, now.Plus(lease), max, skipContents),
            cancellationToken);
        if (skipContents)
        {
            // Contents that are not damaged are read one by one.
            for (var i = 0; i < due.Count; i++)
            {
                var entry = due[i];
                due[i] = await database.ReadAsync(session => claims.AddContentsAsync(session, entry), cancellationToken);
            }
        }

        due.Sort((a, b) => (a.Turn, a.Seq).CompareTo((b.Turn, b.Seq)));
        return new DueBatch<FailedEvent>([.. due.Select(kept => kept.Event)], next.ToTime());
    }

    public override ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        database.WriteAsync(session => claims.BeginAsync(session, entry), cancellationToken);

    public override ValueTask<IReadOnlyList<string>> RenewAsync(
        IReadOnlyCollection<FailedEvent> claimed,
        DateTimeOffset until,
        CancellationToken cancellationToken) =>
        database.WriteAsync<IReadOnlyList<string>>(async session =>
        {
            var lost = new List<string>();
            foreach (var entry in claimed)
            {
                if (!await claims.RenewAsync(session, entry, until))
                {
                    lost.Add(entry.Id);
                }
            }

            return lost;
        }, cancellationToken);

    public override async ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        await deadLetters.ChangeEntryAsync(entry.Id, session => operations.CompleteAsync(session, entry), cancellationToken);

    public override ValueTask<(long Stamp, long? Position)> GetOrderAsync(
        string subscription, string orderKey, CancellationToken cancellationToken) =>
        database.ReadAsync(session => orders.StateAsync(session, subscription, orderKey), cancellationToken);

    public override ValueTask<DeferOutcome> DeferAsync(FailedEvent entry, long stamp, int limit, CancellationToken cancellationToken)
    {
        // A deferred event is in no line.
        entry = entry with { LineKey = null };
        var contents = FailureContents.Of(entry);
        return database.WriteAsync(session => operations.DeferAsync(session, entry, contents, stamp, limit), cancellationToken);
    }

    public override ValueTask<bool> AdvanceAsync(
        string subscription,
        string orderKey,
        long? position,
        DateTimeOffset now,
        CancellationToken cancellationToken) => database.WriteAsync(async session =>
    {
        await orders.RaiseAsync(session, subscription, orderKey, position, now);
        return await orders.WakeAsync(session, subscription, orderKey, now);
    }, cancellationToken);

    public override async ValueTask SweepAsync(
        DateTimeOffset attemptsBefore,
        DateTimeOffset orderBefore,
        int max,
        CancellationToken cancellationToken)
    {
        await database.SweepAsync((session, size) => attempts.SweepAsync(session, attemptsBefore, size), max, cancellationToken);
        await database.SweepAsync((session, size) => orders.SweepAsync(session, orderBefore, size), max, cancellationToken);
    }

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(table.CountAsync, cancellationToken);

    public override ValueTask<IReadOnlyList<FailureCounts>?> CountByStateAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(counts.ReadAsync, cancellationToken);

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        database.ReadAsync(session => claims.CountDueAsync(session, now), cancellationToken);
}
