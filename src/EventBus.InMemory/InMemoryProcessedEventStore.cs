using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Handled events, known until the process ends.</summary>
internal sealed class InMemoryProcessedEventStore(int capacity) : ProcessedEventStore
{
    // Nobody has renewed it for so long that nobody takes it over any more.
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(1);

    private readonly Lock gate = new();
    private readonly Dictionary<ProcessedKey, Entry> entries = [];

    // Done, and nothing left to send: by the end of the retention.
    private readonly SortedSet<Entry> forgettable = new(Comparer<Entry>.Create((a, b) => (a.KeepUntil, a.Fence).CompareTo((b.KeepUntil, b.Fence))));

    // One for all keys, so that a key that was released goes on where it was.
    private long fences;

    public override ValueTask<ProcessedClaim> ClaimAsync(ProcessedKey key, long fingerprint, DateTimeOffset now, TimeSpan lease, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (entries.TryGetValue(key, out var entry) && (entry.IsDone || entry.LeasedUntil > now))
            {
                return ValueTask.FromResult(new ProcessedClaim(entry.IsDone ? ProcessedState.Done : ProcessedState.InProgress, 0, entry.Fingerprint, entry.Outbox));
            }

            if (entry is null && entries.Count >= capacity)
            {
                // A key that is forgotten before its time would be handled twice.
                throw new InvalidOperationException(
                    $"The in-memory store knows {capacity:N0} handled events already. Raise InMemoryOptions.StoreCapacity, shorten the retention of the idempotent subscriptions, or use a durable store.");
            }

            entries[key] = new Entry(key, ++fences, fingerprint) { LeasedUntil = now + lease };
            return ValueTask.FromResult(new ProcessedClaim(ProcessedState.New, fences, fingerprint, []));
        }
    }

    public override ValueTask<bool> RenewAsync(ProcessedKey key, long fence, DateTimeOffset until, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var entry = Find(key, fence);
            var holds = entry is { IsDone: false };
            if (holds)
            {
                entry!.LeasedUntil = until;
            }

            return ValueTask.FromResult(holds);
        }
    }

    public override ValueTask<bool> CompleteAsync(ProcessedKey key, long fence, Completion completion, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var entry = Find(key, fence);
            if (entry is { IsDone: false })
            {
                (entry.IsDone, entry.KeepUntil, entry.Outbox) = (true, completion.KeepUntil, completion.Outbox);
                ForgetLater(entry);
            }

            // The same call again is answered like the first one.
            return ValueTask.FromResult(entry is not null);
        }
    }

    public override ValueTask DispatchedAsync(ProcessedKey key, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (entries.TryGetValue(key, out var entry) && entry.IsDone)
            {
                entry.Outbox = [];
                ForgetLater(entry);
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask ReleaseAsync(ProcessedKey key, long fence, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (Find(key, fence) is { IsDone: false })
            {
                entries.Remove(key);
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var swept = 0;
            for (; swept < max && forgettable.Min is { } oldest && oldest.KeepUntil <= now; swept++)
            {
                forgettable.Remove(oldest);
                entries.Remove(oldest.Key);
            }

            foreach (var abandoned in entries.Values.Where(entry => !entry.IsDone && entry.LeasedUntil <= now - Abandoned).Take(max - swept).ToList())
            {
                entries.Remove(abandoned.Key);
                swept++;
            }

            return ValueTask.FromResult(swept);
        }
    }

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult((long)entries.Count);
        }
    }

    private Entry? Find(ProcessedKey key, long fence) => entries.TryGetValue(key, out var entry) && entry.Fence == fence ? entry : null;

    private void ForgetLater(Entry entry)
    {
        if (entry.Outbox.Count == 0)
        {
            forgettable.Add(entry);
        }
    }

    private sealed class Entry(ProcessedKey key, long fence, long fingerprint)
    {
        public ProcessedKey Key { get; } = key;

        public long Fence { get; } = fence;

        public long Fingerprint { get; } = fingerprint;

        public DateTimeOffset LeasedUntil { get; set; }

        public bool IsDone { get; set; }

        public DateTimeOffset KeepUntil { get; set; }

        public IReadOnlyList<Envelope> Outbox { get; set; } = [];
    }
}
