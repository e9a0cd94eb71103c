using EventBus.Stores;

namespace EventBus;

/// <summary>Keeps sagas until the process ends.</summary>
internal sealed class InMemorySagaStore(int capacity) : SagaStore
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, SagaEntry> byId = new(StringComparer.Ordinal);
    private readonly SortedDictionary<long, SagaEntry> byNumber = [];
    private readonly SortedSet<(DateTimeOffset At, long Number)> alerts = [];
    private readonly SortedSet<(DateTimeOffset At, long Number)> forgettable = [];
    private readonly Dictionary<string, SortedSet<(DateTimeOffset At, long Number)>> due = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SortedSet<long>> waiting = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Saga, SagaStatus Status), long> counts = [];
    private long numbers;

    public override TimeSpan PollInterval => Timeout.InfiniteTimeSpan;

    public override ValueTask<bool> CreateAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (byId.ContainsKey(entry.Id))
            {
                return ValueTask.FromResult(false);
            }

            if (byId.Count >= capacity)
            {
                // Sagas are not evicted before their retention ends: a duplicate request could start an evicted saga
                // again.
                throw new InvalidOperationException(
                    $"The in-memory store holds {capacity:N0} sagas already. Raise InMemoryOptions.StoreCapacity, shorten "
                        + "SagaOptions.Retention, or use a durable store.");
            }

            Add(entry with { Version = 1, Number = ++numbers, Content = entry.Content.ToArray() });
            return ValueTask.FromResult(true);
        }
    }

    public override ValueTask<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(byId.GetValueOrDefault(id));
        }
    }

    public override ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (!byId.TryGetValue(entry.Id, out var kept) || kept.Version != entry.Version)
            {
                return ValueTask.FromResult(false);
            }

            Remove(kept);
            Add(entry with
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
            // Reads one saga more than requested, to find the next due time.
            var first = sagas.Distinct(StringComparer.Ordinal)
                .SelectMany(saga => due.GetValueOrDefault(saga)?.Take(max + 1) ?? [])
                .Order()
                .Take(max + 1)
                .ToList();
            return ValueTask.FromResult(Batch(first, now, max));
        }
    }

    public override ValueTask<DueBatch<SagaEntry>> ListAlertsAsync(DateTimeOffset now, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(Batch([.. alerts.Take(max + 1)], now, max));
        }
    }

    public override ValueTask<IReadOnlyList<string>> FindWaitingAsync(string waitKey, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult<IReadOnlyList<string>>(
                waiting.TryGetValue(waitKey, out var numbers) ? [.. numbers.Take(max).Select(number => byNumber[number].Id)] : []);
        }
    }

    public override ValueTask<IReadOnlyList<SagaEntry>> ListAsync(SagaFilter filter, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult<IReadOnlyList<SagaEntry>>([.. byNumber.Values.Reverse()
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
            return ValueTask.FromResult(counts.Where(count => (filter.Saga is null || count.Key.Saga == filter.Saga)
                && (filter.Status is not { } status || count.Key.Status == status)).Sum(count => count.Value));
        }
    }

    public override ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var old = forgettable.TakeWhile(item => item.At <= now).Take(max).Select(item => byNumber[item.Number]).ToList();
            old.ForEach(Remove);
            return ValueTask.FromResult(old.Count);
        }
    }

    private DueBatch<SagaEntry> Batch(List<(DateTimeOffset At, long Number)> first, DateTimeOffset now, int max)
    {
        var ready = first.TakeWhile(item => item.At <= now).Take(max).ToList();
        return new DueBatch<SagaEntry>(
            [.. ready.Select(item => byNumber[item.Number])],
            first.Count > ready.Count ? first[ready.Count].At : null);
    }

    private void Add(SagaEntry entry)
    {
        byId.Add(entry.Id, entry);
        byNumber.Add(entry.Number, entry);
        counts[(entry.Saga, entry.Status)] = counts.GetValueOrDefault((entry.Saga, entry.Status)) + 1;
        if (entry.DueAt is { } dueAt)
        {
            Of(due, entry.Saga).Add((dueAt, entry.Number));
        }

        if (entry.AlertAt is { } alertAt)
        {
            alerts.Add((alertAt, entry.Number));
        }

        if (entry.KeepUntil is { } until)
        {
            forgettable.Add((until, entry.Number));
        }

        if (entry.WaitKey is { } key)
        {
            Of(waiting, key).Add(entry.Number);
        }
    }

    private void Remove(SagaEntry entry)
    {
        byId.Remove(entry.Id);
        byNumber.Remove(entry.Number);
        counts[(entry.Saga, entry.Status)]--;
        if (entry.DueAt is { } dueAt)
        {
            due[entry.Saga].Remove((dueAt, entry.Number));
        }

        if (entry.AlertAt is { } alertAt)
        {
            alerts.Remove((alertAt, entry.Number));
        }

        if (entry.KeepUntil is { } until)
        {
            forgettable.Remove((until, entry.Number));
        }

        if (entry.WaitKey is { } key && waiting[key].Remove(entry.Number) && waiting[key].Count == 0)
        {
            waiting.Remove(key);
        }
    }

    private static SortedSet<T> Of<T>(Dictionary<string, SortedSet<T>> sets, string key)
    {
        if (!sets.TryGetValue(key, out var set))
        {
            sets.Add(key, set = []);
        }

        return set;
    }
}
