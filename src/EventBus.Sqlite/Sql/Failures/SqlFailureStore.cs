using EventBus.Stores;

namespace EventBus;

/// <summary>Stores failed events in a database.</summary>
internal sealed class SqlFailureStore : KeyedFailureStore
{
    private readonly SqlDatabase database;
    private readonly FailureTable table;
    private readonly OrderTable orders;
    private readonly AttemptTable attempts;
    private readonly SqlDeadLetterStore deadLetters;
    private readonly string count;
    private readonly string countDue;
    private readonly string countClaimed;

    public SqlFailureStore(SqlDatabase database)
    {
        this.database = database;
        table = new FailureTable(database.Prefix);
        orders = new OrderTable(database.Prefix);
        attempts = new AttemptTable(database.Prefix);
        deadLetters = new SqlDeadLetterStore(database, table, orders);
        count = $"SELECT sum(n) FROM {database.Prefix}failure_counts WHERE app = @app";

        // Joins by subscription, so that the index finds the due entries without reading the others.
        countDue =
            $"""
            SELECT count(*) FROM (SELECT DISTINCT subscription FROM {database.Prefix}failure_counts WHERE app = @app) s
            JOIN {database.Prefix}failures f ON f.app = @app AND f.subscription = s.subscription AND f.turn <= @now AND f.claim = 0
            """;
        countClaimed = $"SELECT count(*) FROM {database.Prefix}failures WHERE app = @app AND claim <> 0";
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

        ValueTask<bool> RecordAsync(FailureContents? contents) => database.WriteAsync(async session =>
        {
            var kept = await FindAsync(session, entry);
            if (!IsUnsettled(kept, entry))
            {
                return false;
            }

            // Without its contents the entry cannot be inserted again, so it stays in its line
            // (FailureTable.KeepAsync).
            var changed = contents is null ? entry with { LineKey = kept!.LineKey } : entry;
            await KeepAsync(session, kept, changed, contents);
            return true;
        }, cancellationToken);
    }

    public override ValueTask<AttemptCount?> CountAttemptAsync(
        string subscription,
        string eventId,
        AttemptCount added,
        DateTimeOffset now,
        CancellationToken cancellationToken) => database.WriteAsync<AttemptCount?>(
        async session =>
        {
            // The attempts of an event that is stored as an entry are counted in the entry.
            var isStored = await table.FindAsync(session, subscription, eventId) is not null;
            return isStored ? null : await attempts.CountAsync(session, subscription, eventId, added, now);
        },
        cancellationToken);

    public override async ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken) =>
        await database.WriteAsync(session => attempts.ForgetAsync(session, subscription, eventId), cancellationToken);

    public override ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken)
    {
        var contents = FailureContents.Of(entry);
        return database.WriteAsync(async session =>
        {
            if (!await table.HasLineAsync(session, entry.Subscription, entry.LineKey!))
            {
                return ParkOutcome.NotBlocked;
            }

            // A second copy of an event that is in the line already, or is being processed, changes nothing.
            if (await FindAsync(session, entry) is not null)
            {
                return ParkOutcome.Parked;
            }

            if (await table.CountParkedAsync(session, entry.Subscription, entry.LineKey!, limit) >= limit)
            {
                return ParkOutcome.LineFull;
            }

            await KeepAsync(session, null, entry, contents);
            return ParkOutcome.Parked;
        }, cancellationToken);
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
        var (due, next) = await database.WriteAsync(async session =>
        {
            var due = new List<KeptFailure>();
            long? next = null;
            foreach (var subscription in subscriptions)
            {
                due.AddRange(await table.ClaimAsync(session, subscription, now, now.Plus(lease), max, skipContents));
                var turn = await table.NextTurnAsync(session, subscription);
                if (next is null || turn < next)
                {
                    next = turn;
                }
            }

            return (due, next);
        }, cancellationToken);
        if (skipContents)
        {
            // Contents that are not damaged are read one by one.
            for (var i = 0; i < due.Count; i++)
            {
                var entry = due[i];
                due[i] = await database.ReadAsync(session => table.AddContentsAsync(session, entry), cancellationToken);
            }
        }

        due.Sort((a, b) => (a.Turn, a.Seq).CompareTo((b.Turn, b.Seq)));
        return new DueBatch<FailedEvent>([.. due.Select(kept => kept.Event)], next.ToTime());
    }

    public override ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        database.WriteAsync(session => table.BeginAsync(session, entry), cancellationToken);

    public override ValueTask<IReadOnlyList<string>> RenewAsync(
        IReadOnlyCollection<FailedEvent> claimed,
        DateTimeOffset until,
        CancellationToken cancellationToken) =>
        database.WriteAsync<IReadOnlyList<string>>(async session =>
        {
            var lost = new List<string>();
            foreach (var entry in claimed)
            {
                if (!await table.RenewAsync(session, entry, until))
                {
                    lost.Add(entry.Id);
                }
            }

            return lost;
        }, cancellationToken);

    public override async ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        await deadLetters.ChangeEntryAsync(entry.Id, session => CompleteAsync(session, entry), cancellationToken);

    private async ValueTask<bool> CompleteAsync(SqlSession session, FailedEvent entry)
    {
        var kept = await FindAsync(session, entry);
        if (kept is null || !IsUnsettled(kept, entry))
        {
            return false;
        }

        await table.RemoveAsync(session, kept);
        return true;
    }

    public override ValueTask<(long Stamp, long? Position)> GetOrderAsync(
        string subscription, string orderKey, CancellationToken cancellationToken) =>
        database.ReadAsync(session => orders.StateAsync(session, subscription, orderKey), cancellationToken);

    public override ValueTask<DeferOutcome> DeferAsync(FailedEvent entry, long stamp, int limit, CancellationToken cancellationToken)
    {
        // A deferred event is in no line.
        entry = entry with { LineKey = null };
        var contents = FailureContents.Of(entry);
        return database.WriteAsync(async session =>
        {
            var kept = await FindAsync(session, entry);
            if (!IsUnsettled(kept, entry))
            {
                return DeferOutcome.Deferred;
            }

            if ((await orders.StateAsync(session, entry.Subscription, entry.OrderKey!)).Stamp != stamp)
            {
                return DeferOutcome.Changed;
            }

            // A claimed entry that was deferred before is counted already.
            if (kept?.Status != FailedEventStatus.Deferred
                && await orders.CountDeferredAsync(session, entry.Subscription, entry.OrderKey!, limit) >= limit)
            {
                return DeferOutcome.Full;
            }

            await KeepAsync(session, kept, entry, contents);
            return DeferOutcome.Deferred;
        }, cancellationToken);
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
        database.ReadAsync(async session => await session.Prepare(count).NumberAsync() ?? 0, cancellationToken);

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        database.ReadAsync(async session => (await session.Prepare(countDue).Set("@now", now).NumberAsync() ?? 0)
            + (await session.Prepare(countClaimed).NumberAsync() ?? 0), cancellationToken);

    /// <summary>
    /// Returns true if the caller may still change the entry: it is not stored yet, or the caller holds its claim.
    /// </summary>
    private static bool IsUnsettled(FailureRow? kept, FailedEvent entry)
    {
        var isNew = entry.Claim == 0;
        return isNew ? kept is null : kept?.Claim == entry.Claim;
    }

    private ValueTask<FailureRow?> FindAsync(SqlSession session, FailedEvent entry) =>
        table.FindAsync(session, entry.Subscription, entry.Envelope.Id);

    private async ValueTask KeepAsync(SqlSession session, FailureRow? kept, FailedEvent entry, FailureContents? contents)
    {
        await table.KeepAsync(session, kept, entry, contents);
        if (entry.Claim == 0)
        {
            await attempts.ForgetAsync(session, entry.Subscription, entry.Envelope.Id);
        }
    }
}
