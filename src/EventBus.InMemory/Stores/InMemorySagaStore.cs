using EventBus.Stores;

namespace EventBus;

/// <summary>Keeps sagas in memory until their retention ends, or the process.</summary>
internal sealed class InMemorySagaStore(int capacity) : SagaStore
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, SagaEntry> byId = new(StringComparer.Ordinal);
    private readonly SortedDictionary<long, SagaEntry> byNumber = [];

    // The indexes contain the numbers of the entries: by alert time, by the end of the retention, by saga name and due
    // time, and by wait key.
    private readonly SortedSet<(DateTimeOffset Time, long Number)> byAlertTime = [];
    private readonly SortedSet<(DateTimeOffset Time, long Number)> byKeepUntil = [];
    private readonly Dictionary<string, SortedSet<(DateTimeOffset Time, long Number)>> byDueTime = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SortedSet<long>> byWaitKey = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Saga, SagaStatus Status), long> counts = [];
    private long lastNumber;

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

            lastNumber++;
            Add(entry with { Version = 1, Number = lastNumber, Content = entry.Content.ToArray() });
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

            // The id, the name, the number and the start time never change.
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
            var earliest = sagas.Distinct(StringComparer.Ordinal)
                .SelectMany(saga => byDueTime.GetValueOrDefault(saga)?.Take(max + 1) ?? [])
                .Order()
                .Take(max + 1)
                .ToList();
            return ValueTask.FromResult(Batch(earliest, now, max));
        }
    }

    public override ValueTask<DueBatch<SagaEntry>> ListAlertsAsync(DateTimeOffset now, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(Batch([.. byAlertTime.Take(max + 1)], now, max));
        }
    }

    public override ValueTask<IReadOnlyList<string>> FindWaitingAsync(string waitKey, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult<IReadOnlyList<string>>(
                byWaitKey.TryGetValue(waitKey, out var numbers) ? [.. numbers.Take(max).Select(number => byNumber[number].Id)] : []);
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
            var old = byKeepUntil.TakeWhile(item => item.Time <= now).Take(max).Select(item => byNumber[item.Number]).ToList();
            old.ForEach(Remove);
            return ValueTask.FromResult(old.Count);
        }
    }

    /// <summary>
    /// Creates a batch of the entries that are due, with the time of the first entry that is not in it.
    /// </summary>
    /// <param name="earliest">
    /// The earliest entries of an index; one more than <paramref name="max"/>, if it has more.
    /// </param>
    /// <param name="now">The current time.</param>
    /// <param name="max">The maximum number of entries.</param>
    private DueBatch<SagaEntry> Batch(List<(DateTimeOffset Time, long Number)> earliest, DateTimeOffset now, int max)
    {
        var due = earliest.TakeWhile(item => item.Time <= now).Take(max).ToList();
        return new DueBatch<SagaEntry>(
            [.. due.Select(item => byNumber[item.Number])],
            earliest.Count > due.Count ? earliest[due.Count].Time : null);
    }

    private void Add(SagaEntry entry)
    {
        byId.Add(entry.Id, entry);
        byNumber.Add(entry.Number, entry);
        counts[(entry.Saga, entry.Status)] = counts.GetValueOrDefault((entry.Saga, entry.Status)) + 1;
        if (entry.DueAt is { } dueAt)
        {
            GetOrAdd(byDueTime, entry.Saga).Add((dueAt, entry.Number));
        }

        if (entry.AlertAt is { } alertAt)
        {
            byAlertTime.Add((alertAt, entry.Number));
        }

        if (entry.KeepUntil is { } keepUntil)
        {
            byKeepUntil.Add((keepUntil, entry.Number));
        }

        if (entry.WaitKey is { } key)
        {
            GetOrAdd(byWaitKey, key).Add(entry.Number);
        }
    }

    private void Remove(SagaEntry entry)
    {
        byId.Remove(entry.Id);
        byNumber.Remove(entry.Number);
        counts[(entry.Saga, entry.Status)]--;
        if (entry.DueAt is { } dueAt)
        {
            byDueTime[entry.Saga].Remove((dueAt, entry.Number));
        }

        if (entry.AlertAt is { } alertAt)
        {
            byAlertTime.Remove((alertAt, entry.Number));
        }

        if (entry.KeepUntil is { } keepUntil)
        {
            byKeepUntil.Remove((keepUntil, entry.Number));
        }

        if (entry.WaitKey is { } key)
        {
            byWaitKey[key].Remove(entry.Number);
            if (byWaitKey[key].Count == 0)
            {
                byWaitKey.Remove(key);
            }
        }
    }

    private static SortedSet<T> GetOrAdd<T>(Dictionary<string, SortedSet<T>> sets, string key)
    {
        if (!sets.TryGetValue(key, out var set))
        {
            set = [];
            sets.Add(key, set);
        }

        return set;
    }
}
