using EventBus.Stores;

namespace EventBus;

/// <summary>Holds the state of the order guards for each key, and the entries of each key. Not thread-safe.</summary>
internal sealed class OrderKeyTable(StoreCapacity limit)
{
    private readonly Dictionary<(string Subscription, string Key), OrderKey> keys = [];

    public (long Stamp, long? Position) StateOf(string subscription, string key) =>
        keys.TryGetValue((subscription, key), out var found) ? found.State : default;

    public int CountDeferred(FailedEvent failed) =>
        keys.TryGetValue((failed.Subscription, failed.OrderKey!), out var key) ? key.Deferred : 0;

    public void Add(FailedEntry entry)
    {
        if (entry.Event.OrderKey is { } name)
        {
            var key = Open(entry.Event.Subscription, name);
            key.Entries.Add(entry);
            if (IsDeferred(entry))
            {
                key.Deferred++;
            }
        }
    }

    public void Remove(FailedEntry entry)
    {
        if (entry.Event.OrderKey is { } name
            && keys.TryGetValue((entry.Event.Subscription, name), out var key)
            && key.Entries.Remove(entry))
        {
            if (IsDeferred(entry))
            {
                key.Deferred--;
            }

            CloseIfEmpty(entry.Event.Subscription, name, key);
        }
    }

    /// <summary>
    /// Records a change at a key, and raises its highest position if <paramref name="position"/> is higher.
    /// </summary>
    public void Raise(string subscription, string name, long? position, DateTimeOffset now)
    {
        if (StateOf(subscription, name).Stamp == 0)
        {
            // A key counts against the capacity from its first state on. Before, it exists only for its entries, which
            // count against another capacity.
            limit.Reserve(subscription);
        }

        var key = Open(subscription, name);
        var (stamp, highest) = key.State;
        key.State = (stamp + 1, position > highest || highest is null ? position : highest);
        key.At = now;
    }

    /// <summary>
    /// Returns the deferred entries of a key to check again: all without a position, and the one with the lowest
    /// position.
    /// </summary>
    public List<FailedEntry> ToWake(string subscription, string name)
    {
        var wake = new List<FailedEntry>();
        if (keys.TryGetValue((subscription, name), out var key) && key.Deferred > 0)
        {
            var deferred = key.Entries.Where(entry => IsDeferred(entry) && !entry.IsClaimed);
            foreach (var entry in deferred)
            {
                wake.Add(entry);
                if (entry.Event.Position is not null)
                {
                    break;
                }
            }
        }

        return wake;
    }

    /// <summary>True if no other entry of the key has a lower position.</summary>
    public bool IsLowest(FailedEntry entry) =>
        !keys[(entry.Event.Subscription, entry.Event.OrderKey!)].Entries.SkipWhile(other => other.Event.Position is null)
            .Any(first => first.Event.Position < entry.Event.Position);

    public void Sweep(DateTimeOffset before, int max)
    {
        foreach (var ((subscription, name), key) in keys.Where(
            pair => pair.Value.State.Stamp != 0 && pair.Value.Deferred == 0 && pair.Value.At < before).Take(max).ToList())
        {
            key.State = default;
            limit.Release(subscription);
            CloseIfEmpty(subscription, name, key);
        }
    }

    private static bool IsDeferred(FailedEntry entry) => entry.Event.Status == FailedEventStatus.Deferred;

    private OrderKey Open(string subscription, string name)
    {
        if (!keys.TryGetValue((subscription, name), out var key))
        {
            keys.Add((subscription, name), key = new OrderKey());
        }

        return key;
    }

    private void CloseIfEmpty(string subscription, string name, OrderKey key)
    {
        if (key.Entries.Count == 0 && key.State.Stamp == 0)
        {
            keys.Remove((subscription, name));
        }
    }

    private sealed class OrderKey
    {
        private static readonly Comparer<FailedEntry> ByPosition = Comparer<FailedEntry>.Create(
            (a, b) => (a.Event.Position is not null, a.Event.Position ?? 0, a.Order).CompareTo(
                (b.Event.Position is not null, b.Event.Position ?? 0, b.Order)));

        public (long Stamp, long? Position) State { get; set; }

        public DateTimeOffset At { get; set; }

        public SortedSet<FailedEntry> Entries { get; } = new(ByPosition);

        public int Deferred { get; set; }
    }
}
