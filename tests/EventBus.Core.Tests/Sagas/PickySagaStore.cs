using System.Collections.Concurrent;
using EventBus.Stores;

namespace EventBus.Sagas;

/// <summary>A store of sagas that does not take what a test says.</summary>
internal sealed class PickySagaStore(SagaStore inner, ConcurrentDictionary<string, ReadOnlyMemory<byte>> kept) : SagaStore
{
    /// <summary>Called with what is to be saved. What it throws is what the store throws.</summary>
    public Action<SagaEntry> Before { get; set; } = _ => { };

    public override TimeSpan PollInterval => inner.PollInterval;

    public override ValueTask<bool> CreateAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        kept[entry.Id] = entry.Content;
        return inner.CreateAsync(entry, cancellationToken);
    }

    public override ValueTask<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken) =>
        inner.FindAsync(id, cancellationToken);

    public override ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        Before(entry);
        return inner.SaveAsync(entry, cancellationToken);
    }

    public override ValueTask<DueBatch<SagaEntry>> ListDueAsync(
        IReadOnlyCollection<string> sagas,
        DateTimeOffset now,
        int max,
        CancellationToken cancellationToken) =>
        inner.ListDueAsync(sagas, now, max, cancellationToken);

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
}
