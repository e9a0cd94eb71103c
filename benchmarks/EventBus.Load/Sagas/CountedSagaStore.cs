using EventBus.Stores;

namespace EventBus.Load;

/// <summary>A saga store that counts its writes.</summary>
internal sealed class CountedSagaStore(SagaStore inner) : SagaStore
{
    private long writes;
    private long bytes;

    public long Writes => Interlocked.Read(ref writes);

    public long Bytes => Interlocked.Read(ref bytes);

    public override TimeSpan PollInterval => inner.PollInterval;

    public override ValueTask<bool> CreateAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        Count(entry);
        return inner.CreateAsync(entry, cancellationToken);
    }

    public override ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        Count(entry);
        return inner.SaveAsync(entry, cancellationToken);
    }

    public override ValueTask<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken) =>
        inner.FindAsync(id, cancellationToken);

    public override ValueTask<DueBatch<SagaEntry>> ListDueAsync(
        IReadOnlyCollection<string> sagas,
        DateTimeOffset now,
        int max,
        CancellationToken cancellationToken) => inner.ListDueAsync(sagas, now, max, cancellationToken);

    public override ValueTask<DueBatch<SagaEntry>> ListAlertsAsync(DateTimeOffset now, int max, CancellationToken cancellationToken) =>
        inner.ListAlertsAsync(now, max, cancellationToken);

    public override ValueTask<IReadOnlyList<string>> FindWaitingAsync(string waitKey, int max, CancellationToken cancellationToken) =>
        inner.FindWaitingAsync(waitKey, max, cancellationToken);

    public override ValueTask<IReadOnlyList<SagaEntry>> ListAsync(SagaFilter filter, CancellationToken cancellationToken) =>
        inner.ListAsync(filter, cancellationToken);

    public override ValueTask<long> CountAsync(SagaFilter filter, CancellationToken cancellationToken) =>
        inner.CountAsync(filter, cancellationToken);

    public override ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken) =>
        inner.SweepAsync(now, max, cancellationToken);

    private void Count(SagaEntry entry)
    {
        Interlocked.Increment(ref writes);
        Interlocked.Add(ref bytes, entry.Content.Length);
    }
}
