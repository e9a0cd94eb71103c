using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Keeps delayed events until the process ends.</summary>
internal sealed class InMemoryDelayStore(int capacity) : DelayStore
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Entry> byId = new(StringComparer.Ordinal);

    // The entries in the order of their due times.
    private readonly SortedSet<Entry> byDueTime =
        new(Comparer<Entry>.Create((a, b) => (a.DueAt, a.Order).CompareTo((b.DueAt, b.Order))));

    private long nextOrder;
    private long claimedCount;

    public override TimeSpan PollInterval => Timeout.InfiniteTimeSpan;

    public override ValueTask AddAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (!byId.ContainsKey(envelope.Id))
            {
                if (byId.Count >= capacity)
                {
                    throw new InvalidOperationException(
                        $"The in-memory store holds {capacity:N0} delayed events already. Raise InMemoryOptions.StoreCapacity, or use a "
                            + "durable store.");
                }

                var entry = new Entry(envelope, nextOrder) { DueAt = dueAt };
                nextOrder++;
                byId.Add(envelope.Id, entry);
                byDueTime.Add(entry);
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<DueBatch<Envelope>> ClaimDueAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var due = new List<Envelope>();
            while (due.Count < max && byDueTime.Min is { } entry && entry.DueAt <= now)
            {
                // The due time is the sort key, so it is changed only outside of the set.
                byDueTime.Remove(entry);
                entry.DueAt = now + lease;
                byDueTime.Add(entry);
                if (!entry.IsClaimed)
                {
                    entry.IsClaimed = true;
                    claimedCount++;
                }

                due.Add(entry.Envelope);
            }

            return ValueTask.FromResult(new DueBatch<Envelope>(due, byDueTime.Min?.DueAt));
        }
    }

    public override ValueTask RemoveAsync(Envelope envelope, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (byId.Remove(envelope.Id, out var entry))
            {
                byDueTime.Remove(entry);
                if (entry.IsClaimed)
                {
                    claimedCount--;
                }
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<IReadOnlyList<DelayedEvent>> ListAsync(int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var listed = byDueTime.Where(entry => !entry.IsClaimed).Take(max).Select(ToDelayedEvent);
            return ValueTask.FromResult<IReadOnlyList<DelayedEvent>>([.. listed]);
        }
    }

    public override ValueTask<bool> CancelAsync(string eventId, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (!byId.TryGetValue(eventId, out var entry) || entry.IsClaimed)
            {
                return ValueTask.FromResult(false);
            }

            byId.Remove(eventId);
            byDueTime.Remove(entry);
            return ValueTask.FromResult(true);
        }
    }

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var unclaimed = byDueTime.TakeWhile(entry => entry.DueAt <= now).LongCount(entry => !entry.IsClaimed);
            return ValueTask.FromResult(claimedCount + unclaimed);
        }
    }

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult((long)byId.Count);
        }
    }

    private static DelayedEvent ToDelayedEvent(Entry entry) => new()
    {
        EventId = entry.Envelope.Id,
        EventName = entry.Envelope.Name,
        Key = entry.Envelope.Key,
        DueAt = entry.DueAt,
    };

    private sealed class Entry(Envelope envelope, long order)
    {
        public Envelope Envelope { get; } = envelope;

        /// <summary>The order of arrival, for events that are due at the same time.</summary>
        public long Order { get; } = order;

        /// <summary>The due time of the event; of a claimed entry, the end of its lease.</summary>
        public DateTimeOffset DueAt { get; set; }

        public bool IsClaimed { get; set; }
    }
}
