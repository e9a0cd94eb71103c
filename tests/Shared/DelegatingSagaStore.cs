using EventBus.Stores;

namespace EventBus;

/// <summary>A saga store that forwards each call. A subclass overrides the calls that it changes.</summary>
internal abstract class DelegatingSagaStore(SagaStore inner) : SagaStore
{
    public override TimeSpan PollInterval => inner.PollInterval;

    public override ValueTask<bool> CreateAsync(SagaEntry entry, CancellationToken cancellationToken) =>
        inner.CreateAsync(entry, cancellationToken);

    public override ValueTask<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken) =>
        inner.FindAsync(id, cancellationToken);

    public override ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken) =>
        inner.SaveAsync(entry, cancellationToken);

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
}
