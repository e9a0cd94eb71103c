using EventBus.Stores;

namespace EventBus;

/// <summary>Stores failed events in a database.</summary>
internal sealed class SqlFailureStore(SqlDatabase database) : FailureStore
{
    private const int SweepBatch = 200;

    private readonly FailureTable table = new(database.Prefix);
    private readonly DeadLetterTable dead = new(database.Prefix);
    private readonly OrderTable orders = new(database.Prefix);
    private readonly AttemptTable starts = new(database.Prefix);
    private readonly string count = $"SELECT sum(n) FROM {database.Prefix}failure_counts WHERE app = @app";
    // Joins by subscription, so that the index finds the due entries without reading the others.
    private readonly string countDue =
        $"""
        SELECT count(*) FROM (SELECT DISTINCT subscription FROM {database.Prefix}failure_counts WHERE app = @app) s
        JOIN {database.Prefix}failures f ON f.app = @app AND f.subscription = s.subscription AND f.turn <= @now AND f.claim = 0
        """;

    private readonly string countClaimed = $"SELECT count(*) FROM {database.Prefix}failures WHERE app = @app AND claim <> 0";

    public override async ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        var contents = FailureContents.Of(entry);
        try
        {
            return await RecordAsync(contents);
        }
        catch (Exception exception) when (entry.Claim != 0 && database.IsDamage(exception))
        {
            // Damaged contents cannot be replaced either. The columns of the entry itself are still updated, and the
            // entry is read as a placeholder.
            return await RecordAsync(null);
        }

        ValueTask<bool> RecordAsync(FailureContents? contents) => database.WriteAsync(async session =>
        {
            var kept = await FindAsync(session, entry);
            return IsUnsettled(kept, entry) && await KeepAsync(session, kept, contents is null ? entry with { LineKey = kept!.LineKey } : entry, contents);
        }, cancellationToken);
    }

    public override ValueTask<AttemptCount?> CountAttemptAsync(string subscription, string eventId, AttemptCount added, DateTimeOffset now, CancellationToken cancellationToken) => database.WriteAsync<AttemptCount?>(
        async session => await table.FindAsync(session, subscription, eventId) is null ? await starts.CountAsync(session, subscription, eventId, added, now) : null, cancellationToken);

    public override async ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken) =>
        await database.WriteAsync(session => starts.ForgetAsync(session, subscription, eventId), cancellationToken);

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
            var kept = await FindAsync(session, entry);
            if (kept is null && await table.CountParkedAsync(session, entry.Subscription, entry.LineKey!, limit) >= limit)
            {
                return ParkOutcome.LineFull;
            }

            _ = kept is not null || await KeepAsync(session, kept, entry, contents);
            return ParkOutcome.Parked;
        }, cancellationToken);
    }

    public override async ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken)
    {
        try
        {
            return await ClaimDueAsync(subscriptions, now, lease, max, bare: false, cancellationToken);
        }
        catch (Exception exception) when (database.IsDamage(exception))
        {
            return await ClaimDueAsync(subscriptions, now, lease, max, bare: true, cancellationToken);
        }
    }

    private async ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, bool bare, CancellationToken cancellationToken)
    {
        var (due, next) = await database.WriteAsync(async session =>
        {
            var due = new List<KeptFailure>();
            long? next = null;
            foreach (var subscription in subscriptions)
            {
                due.AddRange(await table.ClaimAsync(session, subscription, now, now.Plus(lease), max, bare));
                next = await table.NextTurnAsync(session, subscription) is { } turn && !(turn >= next) ? turn : next;
            }

            return (due, next);
        }, cancellationToken);
        for (var i = 0; bare && i < due.Count; i++)
        {
            due[i] = await database.ReadAsync(session => table.FillAsync(session, due[i]), cancellationToken);
        }

        due.Sort((a, b) => (a.Turn, a.Seq).CompareTo((b.Turn, b.Seq)));
        return new DueBatch<FailedEvent>([.. due.Select(kept => kept.Event)], next.ToTime());
    }

    public override ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        database.WriteAsync(session => table.BeginAsync(session, entry), cancellationToken);

    public override ValueTask<IReadOnlyList<string>> RenewAsync(IReadOnlyCollection<FailedEvent> claimed, DateTimeOffset until, CancellationToken cancellationToken) =>
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

    public override async ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken) => await RemovingAsync(entry.Id, session => CompleteAsync(session, entry), cancellationToken);

    private async ValueTask<bool> CompleteAsync(SqlSession session, FailedEvent entry)
    {
        var kept = await FindAsync(session, entry);
        var holds = kept is not null && IsUnsettled(kept, entry);
        if (holds)
        {
            await table.RemoveAsync(session, kept!);
        }

        return holds;
    }

    /// <summary>Runs a step that removes an entry.</summary>
    /// <exception cref="StoreRefusedException">A part of the entry is damaged, so it cannot be removed.</exception>
    private async ValueTask<bool> RemovingAsync(string id, Func<SqlSession, ValueTask<bool>> step, CancellationToken cancellationToken)
    {
        try
        {
            return await database.WriteAsync(step, cancellationToken);
        }
        catch (Exception exception) when (database.IsDamage(exception))
        {
            throw new StoreRefusedException(StoreScope.Entry, $"The entry {id} is damaged on the disk and cannot be removed. Recover the database with '.recover' of the sqlite3 program.", exception);
        }
    }

    public override async ValueTask<IReadOnlyList<FailedEvent>> ListDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken) =>
        await database.ReadAsync(session => dead.ListAsync(session, filter), cancellationToken);

    public override async ValueTask<IReadOnlyList<DeadLetterPlace>> ListDeadPlacesAsync(DeadLetterFilter filter, long after, CancellationToken cancellationToken) =>
        await database.ReadAsync(session => dead.PlacesAsync(session, filter, after), cancellationToken);

    public override ValueTask<long> MeasureUnreadAsync(string subscription, int above, CancellationToken cancellationToken) =>
        database.ReadAsync(session => dead.MeasureAsync(session, subscription, above), cancellationToken);

    public override async ValueTask<FailedEvent?> FindDeadAsync(string id, CancellationToken cancellationToken) =>
        Split(id) is var (subscription, eventId) ? await database.ReadAsync(session => dead.FindAsync(session, subscription, eventId), cancellationToken) : null;

    public override ValueTask<bool> RetryDeadAsync(string id, DateTimeOffset now, CancellationToken cancellationToken) => ChangeDeadAsync(id, async (session, kept) =>
    {
        if (kept is { Reason: DeadLetterReason.OutOfOrder, OrderKey: { } key, Position: { } position } && !await orders.HasLowerAsync(session, kept.Subscription, key, position))
        {
            // Gives up the gap before the entry.
            await orders.RaiseAsync(session, kept.Subscription, key, position - 1, now);
        }

        await table.RetryDeadAsync(session, kept, now);
    }, cancellationToken);

    public override ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken) => ChangeDeadAsync(id, table.RemoveAsync, cancellationToken);

    public override ValueTask<long> CountDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken) =>
        database.ReadAsync(session => dead.CountAsync(session, filter), cancellationToken);

    public override ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken) =>
        database.WriteAsync(session => dead.ClaimAlertsAsync(session, now, now.Plus(lease), max), cancellationToken);

    public override async ValueTask AlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken) => await database.WriteAsync(async session =>
    {
        foreach (var alert in sent)
        {
            await dead.SettleAlertAsync(session, alert);
        }

        return sent.Count;
    }, cancellationToken);

    public override ValueTask<OrderState> GetOrderAsync(string subscription, string orderKey, CancellationToken cancellationToken) =>
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
            if (kept?.Status != FailedEventStatus.Deferred && await orders.CountDeferredAsync(session, entry.Subscription, entry.OrderKey!, limit) >= limit)
            {
                return DeferOutcome.Full;
            }

            await KeepAsync(session, kept, entry, contents);
            return DeferOutcome.Deferred;
        }, cancellationToken);
    }

    public override ValueTask<bool> AdvanceAsync(string subscription, string orderKey, long? position, DateTimeOffset now, CancellationToken cancellationToken) => database.WriteAsync(async session =>
    {
        await orders.RaiseAsync(session, subscription, orderKey, position, now);
        return await orders.WakeAsync(session, subscription, orderKey, now);
    }, cancellationToken);

    public override async ValueTask<int> SweepAsync(SweepLimits limits, int max, CancellationToken cancellationToken)
    {
        // Small steps, so that other writes never wait long.
        await RepeatAsync((session, size) => starts.SweepAsync(session, limits.AttemptsBefore, size));
        await RepeatAsync((session, size) => orders.SweepAsync(session, limits.OrderBefore, size));
        if (limits.DeadBefore is not { } before)
        {
            return 0;
        }

        try
        {
            return await RepeatAsync((session, size) => SweepDeadAsync(session, before, size));
        }
        catch (Exception exception) when (database.IsDamage(exception))
        {
            return await SweepOneByOneAsync(before, max, cancellationToken);
        }

        async ValueTask<int> RepeatAsync(Func<SqlSession, int, ValueTask<int>> sweep)
        {
            for (var swept = 0; ;)
            {
                var size = Math.Min(max - swept, SweepBatch);
                var removed = size > 0 ? await database.WriteAsync(session => sweep(session, size), cancellationToken) : 0;
                swept += removed;
                if (removed < SweepBatch)
                {
                    return swept;
                }
            }
        }
    }

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(async session => await session.Prepare(count).NumberAsync() ?? 0, cancellationToken);

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        database.ReadAsync(async session => (await session.Prepare(countDue).Set("@now", now).NumberAsync() ?? 0) + (await session.Prepare(countClaimed).NumberAsync() ?? 0), cancellationToken);

    /// <summary>
    /// Returns true if the caller may still change the entry: it is not stored yet, or the caller holds its claim.
    /// </summary>
    private static bool IsUnsettled(FailureRow? kept, FailedEvent entry) => entry.Claim == 0 ? kept is null : kept?.Claim == entry.Claim;

    private static (string Subscription, string EventId)? Split(string id) => id.IndexOf('~', StringComparison.Ordinal) is >= 0 and var at ? (id[..at], id[(at + 1)..]) : null;

    private ValueTask<FailureRow?> FindAsync(SqlSession session, FailedEvent entry) => table.FindAsync(session, entry.Subscription, entry.Envelope.Id);

    private async ValueTask<bool> KeepAsync(SqlSession session, FailureRow? kept, FailedEvent entry, FailureContents? contents)
    {
        await table.KeepAsync(session, kept, entry, contents);
        if (entry.Claim == 0)
        {
            await starts.ForgetAsync(session, entry.Subscription, entry.Envelope.Id);
        }

        return true;
    }

    private async ValueTask<bool> ChangeDeadAsync(string id, Func<SqlSession, FailureRow, ValueTask> change, CancellationToken cancellationToken) => Split(id) is var (subscription, eventId)
        && await RemovingAsync(id, async session =>
        {
            if (await table.FindAsync(session, subscription, eventId) is not { Status: FailedEventStatus.Dead } kept)
            {
                return false;
            }

            await change(session, kept);
            return true;
        }, cancellationToken);

    /// <summary>Removes old dead letters one by one, and leaves the damaged ones.</summary>
    private async ValueTask<int> SweepOneByOneAsync(DateTimeOffset before, int max, CancellationToken cancellationToken)
    {
        var removed = 0;
        foreach (var old in await database.ReadAsync(session => dead.OldAsync(session, before, max), cancellationToken))
        {
            try
            {
                removed += await DiscardAsync(FailedEvent.MakeId(old.Subscription, old.EventId), cancellationToken) ? 1 : 0;
            }
            catch (StoreRefusedException exception) when (exception.Scope == StoreScope.Entry)
            {
                // The damaged entry stays.
            }
        }

        return removed;
    }

    private async ValueTask<int> SweepDeadAsync(SqlSession session, DateTimeOffset before, int max)
    {
        var old = await dead.OldAsync(session, before, max);
        foreach (var kept in old)
        {
            await table.RemoveAsync(session, kept);
        }

        return old.Count;
    }
}
