using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Stores delayed events in a database.</summary>
internal sealed class SqlDelayStore(SqlDatabase database, ILogger log) : DelayStore
{
    private const int MaxNamedRows = 10;

    private readonly DelayTable table = new(database.Prefix);

    // The numbers of the damaged rows that the last claim found.
    private volatile IReadOnlySet<long> damagedRows = new HashSet<long>();

    /// <summary>Gets the problems of the file; empty if there are none.</summary>
    public IReadOnlyCollection<string> Problems
    {
        get
        {
            var rows = damagedRows;
            if (rows.Count == 0)
            {
                return [];
            }

            return
            [
                $"The SQLite database is damaged where {rows.Count} delayed events are stored (table {table.Name}, seq "
                    + $"{string.Join(", ", rows.Take(MaxNamedRows))}): they are not published. Restore it from a backup, or recover "
                    + "what is left with '.recover' of the sqlite3 program.",
            ];
        }
    }

    public override async ValueTask AddAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken cancellationToken)
    {
        var attributes = StoreFormat.WriteAttributes(envelope);
        var body = SqlEnvelope.BodyOf(envelope);
        await database.WriteOrWithdrawAsync(
            session => table.AddAsync(session, envelope, dueAt, attributes, body),
            cancellationToken);
    }

    public override async ValueTask<DueBatch<Envelope>> ClaimDueAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken)
    {
        try
        {
            var batch = await database.WriteAsync(
                session => table.ClaimDueAsync(session, now, now.Plus(lease), max),
                cancellationToken);
            if (damagedRows.Count > 0)
            {
                damagedRows = new HashSet<long>();
            }

            return batch;
        }
        catch (Exception exception) when (database.IsDamage(exception))
        {
            return await ClaimOneByOneAsync(now, lease, max, cancellationToken);
        }
    }

    /// <summary>
    /// Claims the due rows one by one. A row that is damaged on the disk cannot be leased, so it is not returned: it
    /// stays for a recovery of the file, and the other rows are claimed as usual.
    /// </summary>
    private async ValueTask<DueBatch<Envelope>> ClaimOneByOneAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken)
    {
        var claimed = new List<Envelope>();
        var foundDamaged = new HashSet<long>();
        var dueRows = await database.ReadAsync(session => table.ListDueRowsAsync(session, now), cancellationToken);
        foreach (var seq in dueRows)
        {
            try
            {
                var batch = await database.WriteAsync(
                    session => table.ClaimRowAsync(session, seq, now.Plus(lease)),
                    cancellationToken);
                claimed.AddRange(batch.Entries);
            }
            catch (Exception exception) when (database.IsDamage(exception))
            {
                foundDamaged.Add(seq);
                if (!damagedRows.Contains(seq))
                {
                    log.DelayedDamaged(seq, database.Prefix, exception.Message);
                }
            }

            if (claimed.Count == max)
            {
                break;
            }
        }

        damagedRows = foundDamaged;

        // Without a next due time the scheduler polls after its interval. The damaged rows stay due, so with their time
        // it would poll at once, again and again.
        return new DueBatch<Envelope>(claimed, null);
    }

    public override async ValueTask RemoveAsync(Envelope envelope, CancellationToken cancellationToken) =>
        await database.WriteAsync(session => table.RemoveAsync(session, envelope.Id), cancellationToken);

    public override async ValueTask<IReadOnlyList<DelayedEvent>> ListAsync(int max, CancellationToken cancellationToken)
    {
        try
        {
            return await database.ReadAsync(session => table.ListAsync(session, max, skipAttributes: false), cancellationToken);
        }
        catch (Exception exception) when (database.IsDamage(exception))
        {
            return await database.ReadAsync(session => table.ListAsync(session, max, skipAttributes: true), cancellationToken);
        }
    }

    public override ValueTask<bool> CancelAsync(string eventId, CancellationToken cancellationToken) =>
        database.WriteAsync(session => table.CancelAsync(session, eventId), cancellationToken);

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(table.CountAsync, cancellationToken);

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        database.ReadAsync(session => table.CountDueAsync(session, now), cancellationToken);
}
