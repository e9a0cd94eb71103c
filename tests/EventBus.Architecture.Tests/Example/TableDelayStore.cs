using EventBus.Stores;
using EventBus.Transports;

namespace EventBus.Architecture.Tests.Example;

#region store
/// <summary>A minimal store that fulfils the contract: an example for authors of stores.</summary>
internal sealed class TableDelayStore(DelayTable table) : DelayStore
{
    public string Service { get; set; } = "";

    public override ValueTask AddAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken cancellationToken)
    {
        // Serializes the event before the transaction. If that fails, nothing is written.
        var row = new DelayRow(envelope.Id, StoreFormat.WriteAttributes(envelope), envelope.Body.ToArray(), dueAt, IsClaimed: false);
        InTransaction(rows => rows.TryAdd(row.EventId, row));
        return ValueTask.CompletedTask;
    }

    public override ValueTask<DueBatch<Envelope>> ClaimDueAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken) => ValueTask.FromResult(InTransaction(rows =>
        {
            var due = rows.Values.Where(row => row.DueAt <= now).OrderBy(row => row.DueAt).Take(max).ToList();
            foreach (var row in due)
            {
                // Due again when the lease expires, unless the event is removed by then.
                rows[row.EventId] = row with { DueAt = now + lease, IsClaimed = true };
            }

            DateTimeOffset? next = rows.Count == 0 ? null : rows.Values.Min(row => row.DueAt);
            return new DueBatch<Envelope>([.. due.Select(Read)], next);
        }));

    public override ValueTask RemoveAsync(Envelope envelope, CancellationToken cancellationToken)
    {
        InTransaction(rows => rows.Remove(envelope.Id));
        return ValueTask.CompletedTask;
    }

    public override ValueTask<IReadOnlyList<DelayedEvent>> ListAsync(int max, CancellationToken cancellationToken) =>
        ValueTask.FromResult(InTransaction<IReadOnlyList<DelayedEvent>>(
            rows => [.. rows.Values.Where(row => !row.IsClaimed).OrderBy(row => row.DueAt).Take(max).Select(Describe)]));

    public override ValueTask<bool> CancelAsync(string eventId, CancellationToken cancellationToken) =>
        ValueTask.FromResult(InTransaction(
            rows => rows.TryGetValue(eventId, out var row) && !row.IsClaimed && rows.Remove(eventId)));

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult(InTransaction(rows => (long)rows.Count));

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        ValueTask.FromResult(InTransaction(rows => rows.Values.LongCount(row => row.IsClaimed || row.DueAt <= now)));

    private static Envelope Read(DelayRow row) =>
        StoreFormat.Read(row.Attributes, row.Body, row.EventId, CloudEventAttributes.UnreadableType);

    private static DelayedEvent Describe(DelayRow row)
    {
        var envelope = Read(row);
        return new DelayedEvent { EventId = row.EventId, EventName = envelope.Name, Key = envelope.Key, DueAt = row.DueAt };
    }

    private T InTransaction<T>(Func<Dictionary<string, DelayRow>, T> change) => table.InTransaction(Service, change);
}
#endregion
