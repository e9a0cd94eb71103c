using EventBus.Stores;

namespace EventBus;

/// <summary>Stores the dead letters, which are rows of the failed events, in a database.</summary>
internal sealed class SqlDeadLetterStore(SqlDatabase database, FailureTable table, OrderTable orders) : DeadLetterStore
{
    private readonly DeadLetterTable dead = new(database.Prefix);

    public override async ValueTask<IReadOnlyList<FailedEvent>> ListAsync(DeadLetterFilter filter, CancellationToken cancellationToken) =>
        await database.ReadAsync(session => dead.ListAsync(session, filter), cancellationToken);

    public override async ValueTask<IReadOnlyList<(string Id, long Number)>> ListIdsAsync(
        DeadLetterFilter filter, long after, CancellationToken cancellationToken) =>
        await database.ReadAsync(session => dead.ListIdsAsync(session, filter, after), cancellationToken);

    public override ValueTask<long> MeasureUnreadableAsync(string subscription, int above, CancellationToken cancellationToken) =>
        database.ReadAsync(session => dead.MeasureAsync(session, subscription, above), cancellationToken);

    public override async ValueTask<FailedEvent?> FindAsync(string id, CancellationToken cancellationToken) =>
        Split(id) is var (subscription, eventId)
            ? await database.ReadAsync(session => dead.FindAsync(session, subscription, eventId), cancellationToken)
            : null;

    public override ValueTask<bool> RetryAsync(string id, DateTimeOffset now, CancellationToken cancellationToken) =>
        ChangeDeadAsync(id, async (session, kept) =>
        {
            if (kept is { Reason: DeadLetterReason.OutOfOrder, OrderKey: { } key, Position: { } position }
                && !await orders.HasLowerAsync(session, kept.Subscription, key, position))
            {
                // No event with a lower position is stored, so the sequence continues without those that are missing.
                await orders.RaiseAsync(session, kept.Subscription, key, position - 1, now);
            }

            await table.RetryDeadAsync(session, kept, now);
        }, cancellationToken);

    public override ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken) =>
        ChangeDeadAsync(id, table.RemoveAsync, cancellationToken);

    public override ValueTask<long> CountAsync(DeadLetterFilter filter, CancellationToken cancellationToken) =>
        database.ReadAsync(session => dead.CountAsync(session, filter), cancellationToken);

    public override ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken) =>
        database.WriteAsync(session => dead.ClaimAlertsAsync(session, now, now.Plus(lease), max), cancellationToken);

    public override async ValueTask MarkAlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken) =>
        await database.WriteAsync(async session =>
        {
            foreach (var alert in sent)
            {
                await dead.SettleAlertAsync(session, alert);
            }

            return sent.Count;
        }, cancellationToken);

    public override async ValueTask<int> SweepAsync(DateTimeOffset before, int max, CancellationToken cancellationToken)
    {
        try
        {
            return await database.SweepAsync((session, size) => SweepAsync(session, before, size), max, cancellationToken);
        }
        catch (Exception exception) when (database.IsDamage(exception))
        {
            return await SweepOneByOneAsync(before, max, cancellationToken);
        }
    }

    /// <summary>Runs a step that changes or removes an entry, and explains damage of the entry.</summary>
    /// <exception cref="StoreRefusedException">A part of the entry is damaged, so the step is not possible.</exception>
    public async ValueTask<bool> ChangeEntryAsync(string id, Func<SqlSession, ValueTask<bool>> step, CancellationToken cancellationToken)
    {
        try
        {
            return await database.WriteAsync(step, cancellationToken);
        }
        catch (Exception exception) when (database.IsDamage(exception))
        {
            throw new StoreRefusedException(
                StoreScope.Entry,
                $"The entry '{id}' is damaged on the disk, and cannot be changed or removed. Recover the database with '.recover' of the "
                    + "sqlite3 program.",
                exception);
        }
    }

    private static (string Subscription, string EventId)? Split(string id)
    {
        var separator = id.IndexOf('~', StringComparison.Ordinal);
        return separator >= 0 ? (id[..separator], id[(separator + 1)..]) : null;
    }

    /// <summary>Changes a dead letter. Returns false if there is none with the id.</summary>
    private async ValueTask<bool> ChangeDeadAsync(
        string id,
        Func<SqlSession, FailureRow, ValueTask> change,
        CancellationToken cancellationToken)
    {
        if (Split(id) is not var (subscription, eventId))
        {
            return false;
        }

        return await ChangeEntryAsync(id, ChangeIfDeadAsync, cancellationToken);

        async ValueTask<bool> ChangeIfDeadAsync(SqlSession session)
        {
            var kept = await table.FindAsync(session, subscription, eventId);
            if (kept is not { Status: FailedEventStatus.Dead })
            {
                return false;
            }

            await change(session, kept);
            return true;
        }
    }

    /// <summary>Removes old dead letters one by one, and leaves the damaged ones.</summary>
    private async ValueTask<int> SweepOneByOneAsync(DateTimeOffset before, int max, CancellationToken cancellationToken)
    {
        var removed = 0;
        foreach (var old in await database.ReadAsync(session => dead.ListOldAsync(session, before, max), cancellationToken))
        {
            try
            {
                if (await DiscardAsync(FailedEvent.MakeId(old.Subscription, old.EventId), cancellationToken))
                {
                    removed++;
                }
            }
            catch (StoreRefusedException exception) when (exception.Scope == StoreScope.Entry)
            {
                // The damaged entry stays.
            }
        }

        return removed;
    }

    private async ValueTask<int> SweepAsync(SqlSession session, DateTimeOffset before, int max)
    {
        var old = await dead.ListOldAsync(session, before, max);
        foreach (var kept in old)
        {
            await table.RemoveAsync(session, kept);
        }

        return old.Count;
    }
}
