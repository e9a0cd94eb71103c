using EventBus.Stores;

namespace EventBus;

/// <summary>Keeps sagas in memory, until their retention or the process ends.</summary>
internal sealed class InMemorySagaStore(int capacity) : SagaStore
{
    private readonly Lock gate = new();
    private readonly SagaTable table = new();
    private long lastNumber;

    public override TimeSpan PollInterval => Timeout.InfiniteTimeSpan;

    public override ValueTask<bool> CreateAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (table.Find(entry.Id) is not null)
            {
                return ValueTask.FromResult(false);
            }

            if (table.Count >= capacity)
            {
                // Sagas are not evicted before their retention ends: a duplicate request could start an evicted saga
                // again.
                throw new InvalidOperationException(
                    $"The in-memory store holds {capacity:N0} sagas already. Raise InMemoryOptions.StoreCapacity, shorten "
                        + "SagaOptions.Retention, or use a durable store.");
            }

            lastNumber++;
            table.Add(entry with { Version = 1, Number = lastNumber, Content = entry.Content.ToArray() });
            return ValueTask.FromResult(true);
        }
    }

    public override ValueTask<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(table.Find(id));
        }
    }

    public override ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (table.Find(entry.Id) is not { } kept || kept.Version != entry.Version)
            {
                return ValueTask.FromResult(false);
            }

            // The id, the name, the number and the start time never change.
            table.Remove(kept);
            table.Add(entry with
            {
                Saga = kept.Saga,
                Number = kept.Number,
                StartedAt = kept.StartedAt,
                Version = kept.Version + 1,
                Content = entry.Content.ToArray()
            });
            return ValueTask.FromResult(true);
        }
    }

    public override ValueTask<DueBatch<SagaEntry>> ListDueAsync(
        IReadOnlyCollection<string> sagas,
        DateTimeOffset now,
        int max,
        CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(table.ListDue(sagas, now, max));
        }
    }

    public override ValueTask<DueBatch<SagaEntry>> ListAlertsAsync(DateTimeOffset now, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(table.ListAlerts(now, max));
        }
    }

    public override ValueTask<IReadOnlyList<string>> FindWaitingAsync(string waitKey, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(table.FindWaiting(waitKey, max));
        }
    }

    public override ValueTask<IReadOnlyList<SagaEntry>> ListAsync(SagaFilter filter, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult<IReadOnlyList<SagaEntry>>([.. table.Latest
                .Where(entry => (filter.Before is not { } before || entry.Number < before)
                    && (filter.Saga is null || entry.Saga == filter.Saga)
                    && (filter.Status is not { } status || entry.Status == status))
                .Take(filter.Take)]);
        }
    }

    public override ValueTask<long> CountAsync(SagaFilter filter, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(table.Counts.Where(count => (filter.Saga is null || count.Key.Saga == filter.Saga)
                && (filter.Status is not { } status || count.Key.Status == status)).Sum(count => count.Value));
        }
    }

    public override ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var old = table.ListExpired(now, max);
            old.ForEach(table.Remove);
            return ValueTask.FromResult(old.Count);
        }
    }
}
