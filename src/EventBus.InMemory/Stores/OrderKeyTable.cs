using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Holds, for each key of guarded subscriptions, the state that the order guards use, and the entries of the key. Not
/// thread-safe.
/// </summary>
internal sealed class OrderKeyTable(StoreCapacity limit)
{
    private readonly Dictionary<(string Subscription, string Key), OrderKey> keys = [];

    /// <summary>
    /// Gets the stamp of a key, which increases with each change of its state, and the highest settled position; 0 and
    /// null for an unknown key.
    /// </summary>
    public (long Stamp, long? Position) StateOf(string subscription, string key) =>
        keys.TryGetValue((subscription, key), out var found) ? found.State : default;

    public int CountDeferred(FailedEvent failed) =>
        keys.TryGetValue((failed.Subscription, failed.OrderKey!), out var key) ? key.DeferredCount : 0;

    public void Add(FailedEntry entry)
    {
        if (entry.Event.OrderKey is { } orderKey)
        {
            var key = GetOrAdd(entry.Event.Subscription, orderKey);
            key.Entries.Add(entry);
            if (IsDeferred(entry))
            {
                key.DeferredCount++;
            }
        }
    }

    public void Remove(FailedEntry entry)
    {
        if (entry.Event.OrderKey is { } orderKey
            && keys.TryGetValue((entry.Event.Subscription, orderKey), out var key)
            && key.Entries.Remove(entry))
        {
            if (IsDeferred(entry))
            {
                key.DeferredCount--;
            }

            RemoveIfEmpty(entry.Event.Subscription, orderKey, key);
        }
    }

    /// <summary>
    /// Increases the stamp of a key, and raises its position if <paramref name="position"/> is higher.
    /// </summary>
    public void Raise(string subscription, string orderKey, long? position, DateTimeOffset now)
    {
        if (StateOf(subscription, orderKey).Stamp == 0)
        {
            // A key counts against the capacity from its first stamp on. Before, it exists only for its entries, which
            // count against another capacity.
            limit.Reserve(subscription);
        }

        var key = GetOrAdd(subscription, orderKey);
        var (stamp, highest) = key.State;
        if (highest is null || position > highest)
        {
            highest = position;
        }

        key.State = (stamp + 1, highest);
        key.ChangedAt = now;
    }

    /// <summary>
    /// Returns the deferred entries of a key that the guard must check again after a change of the key: all without a
    /// position, and the one with the lowest position. Claimed entries are left out.
    /// </summary>
    public List<FailedEntry> DeferredToCheck(string subscription, string orderKey)
    {
        var found = new List<FailedEntry>();
        if (keys.TryGetValue((subscription, orderKey), out var key) && key.DeferredCount > 0)
        {
            // The entries without a position come first, then the others by position.
            var deferred = key.Entries.Where(entry => IsDeferred(entry) && !entry.IsClaimed);
            foreach (var entry in deferred)
            {
                found.Add(entry);
                if (entry.Event.Position is not null)
                {
                    break;
                }
            }
        }

        return found;
    }

    /// <summary>True if no other entry of the key has a lower position.</summary>
    public bool IsLowest(FailedEntry entry)
    {
        // The comparison is false for an entry without a position.
        var entries = keys[(entry.Event.Subscription, entry.Event.OrderKey!)].Entries;
        return !entries.Any(other => other.Event.Position < entry.Event.Position);
    }

    /// <summary>
    /// Removes the states of keys that were last changed before a time. Keys with deferred entries keep theirs.
    /// </summary>
    public void Sweep(DateTimeOffset before, int max)
    {
        var old = keys
            .Where(pair => pair.Value.State.Stamp != 0 && pair.Value.DeferredCount == 0 && pair.Value.ChangedAt < before)
            .Take(max)
            .ToList();
        foreach (var ((subscription, orderKey), key) in old)
        {
            key.State = default;
            limit.Release(subscription);
            RemoveIfEmpty(subscription, orderKey, key);
        }
    }

    private static bool IsDeferred(FailedEntry entry) => entry.Event.Status == FailedEventStatus.Deferred;

    private OrderKey GetOrAdd(string subscription, string orderKey)
    {
        if (!keys.TryGetValue((subscription, orderKey), out var key))
        {
            key = new OrderKey();
            keys.Add((subscription, orderKey), key);
        }

        return key;
    }

    private void RemoveIfEmpty(string subscription, string orderKey, OrderKey key)
    {
        if (key.Entries.Count == 0 && key.State.Stamp == 0)
        {
            keys.Remove((subscription, orderKey));
        }
    }

    private sealed class OrderKey
    {
        // False sorts before true: entries without a position come first.
        private static readonly Comparer<FailedEntry> ByPosition = Comparer<FailedEntry>.Create(
            (a, b) => (a.Event.Position is not null, a.Event.Position ?? 0, a.Order).CompareTo(
                (b.Event.Position is not null, b.Event.Position ?? 0, b.Order)));

        /// <summary>The state, as <see cref="StateOf"/> returns it.</summary>
        public (long Stamp, long? Position) State { get; set; }

        /// <summary>The time of the last change of the state.</summary>
        public DateTimeOffset ChangedAt { get; set; }

        public SortedSet<FailedEntry> Entries { get; } = new(ByPosition);

        /// <summary>The number of deferred entries, including claimed ones.</summary>
        public int DeferredCount { get; set; }
    }
}
