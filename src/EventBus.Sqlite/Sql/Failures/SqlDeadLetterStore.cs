using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Stores the dead letters in a database: the rows with the status Dead in the table of the failed events.
/// </summary>
internal sealed class SqlDeadLetterStore(SqlDatabase database, FailureTable table, OrderTable orders) : DeadLetterStore
{
    // A sweep of single entries lists this many more than it may remove, because damaged entries stay.
    private const int MaxDamaged = 1_000;

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
        ChangeDeadAsync(id, number: null, async (session, row) =>
        {
            if (row is { Reason: DeadLetterReason.OutOfOrder, OrderKey: { } key, Position: { } position }
                && !await orders.HasLowerAsync(session, row.Subscription, key, position))
            {
                // The events before this one are missing, and none of them is stored. They are skipped: the last
                // handled position of the key becomes the one before this event, so that this event is the next.
                await orders.RaiseAsync(session, row.Subscription, key, position - 1, now);
            }

            await table.RetryDeadAsync(session, row, now);
        }, cancellationToken);

    public override ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken) =>
        ChangeDeadAsync(id, number: null, table.RemoveAsync, cancellationToken);

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
        var removed = 0;
        try
        {
            await database.SweepAsync((session, size) => SweepAsync(session, before, size), max, AddRemoved, cancellationToken);
            return removed;
        }
        catch (Exception exception) when (database.IsDamage(exception))
        {
            return removed + await SweepOneByOneAsync(before, max - removed, cancellationToken);
        }

        // Called after each write, because the result is lost when a later write fails.
        void AddRemoved(int count) => removed += count;
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

    /// <summary>
    /// Changes a dead letter. Returns false if there is none with the id, or if it does not have the given number any
    /// more: it was retried, and has become a dead letter again.
    /// </summary>
    private async ValueTask<bool> ChangeDeadAsync(
        string id,
        long? number,
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
            var row = await table.FindAsync(session, subscription, eventId);
            if (row is not { Status: FailedEventStatus.Dead } || (number is not null && row.Number != number))
            {
                return false;
            }

            await change(session, row);
            return true;
        }
    }

    /// <summary>Removes old dead letters one by one, and leaves the damaged ones.</summary>
    private async ValueTask<int> SweepOneByOneAsync(DateTimeOffset before, int max, CancellationToken cancellationToken)
    {
        var removed = 0;
        foreach (var old in await database.ReadAsync(session => dead.ListOldAsync(session, before, max + MaxDamaged), cancellationToken))
        {
            if (removed == max)
            {
                break;
            }

            try
            {
                var id = FailedEvent.MakeId(old.Subscription, old.EventId);
                if (await ChangeDeadAsync(id, old.Number, table.RemoveAsync, cancellationToken))
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
        foreach (var row in old)
        {
            await table.RemoveAsync(session, row);
        }

        return old.Count;
    }
}
