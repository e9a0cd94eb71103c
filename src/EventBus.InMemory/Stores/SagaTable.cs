using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Holds sagas, with an index for each way of finding them: by id, by number, by due time, by alert time, by the end of
/// the retention, and by the key of the reply that they wait for. Not thread-safe.
/// </summary>
internal sealed class SagaTable
{
    private readonly Dictionary<string, SagaEntry> byId = new(StringComparer.Ordinal);
    private readonly SortedDictionary<long, SagaEntry> byNumber = [];

    // These indexes contain the numbers of the entries.
    private readonly SortedSet<(DateTimeOffset Time, long Number)> byAlertTime = [];
    private readonly SortedSet<(DateTimeOffset Time, long Number)> byKeepUntil = [];
    private readonly Dictionary<string, SortedSet<(DateTimeOffset Time, long Number)>> byDueTime = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SortedSet<long>> byWaitKey = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Saga, SagaStatus Status), long> counts = [];

    public int Count => byId.Count;

    /// <summary>The sagas, the latest first.</summary>
    public IEnumerable<SagaEntry> Latest => byNumber.Values.Reverse();

    /// <summary>The number of sagas by name and status.</summary>
    public IReadOnlyDictionary<(string Saga, SagaStatus Status), long> Counts => counts;

    public SagaEntry? Find(string id) => byId.GetValueOrDefault(id);

    /// <summary>Lists the due sagas with these names, the earliest first.</summary>
    public DueBatch<SagaEntry> ListDue(IEnumerable<string> sagas, DateTimeOffset now, int max)
    {
        // Reads one saga more than requested, to find the next due time.
        var earliest = sagas.Distinct(StringComparer.Ordinal)
            .SelectMany(saga => byDueTime.GetValueOrDefault(saga)?.Take(max + 1) ?? [])
            .Order()
            .Take(max + 1)
            .ToList();
        return Batch(earliest, now, max);
    }

    /// <summary>Lists the sagas whose alert is due, the earliest first.</summary>
    public DueBatch<SagaEntry> ListAlerts(DateTimeOffset now, int max) => Batch([.. byAlertTime.Take(max + 1)], now, max);

    /// <summary>Lists the ids of sagas that wait for a reply with this key.</summary>
    public IReadOnlyList<string> FindWaiting(string waitKey, int max) =>
        byWaitKey.TryGetValue(waitKey, out var numbers) ? [.. numbers.Take(max).Select(number => byNumber[number].Id)] : [];

    /// <summary>Lists sagas whose retention has ended.</summary>
    public List<SagaEntry> ListExpired(DateTimeOffset now, int max) =>
        [.. byKeepUntil.TakeWhile(item => item.Time <= now).Take(max).Select(item => byNumber[item.Number])];

    public void Add(SagaEntry entry)
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

    public void Remove(SagaEntry entry)
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
