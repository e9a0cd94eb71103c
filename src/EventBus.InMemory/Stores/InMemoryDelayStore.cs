using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Keeps delayed events until the process ends.</summary>
internal sealed class InMemoryDelayStore(int capacity) : DelayStore
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Entry> byId = new(StringComparer.Ordinal);

    // The entries in the order of their due times. For a claimed entry, the end of its lease counts as its due time.
    private readonly SortedSet<Entry> waiting = new(Comparer<Entry>.Create((a, b) => (a.Turn, a.Order).CompareTo((b.Turn, b.Order))));
    private long order;
    private long claimed;

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

                var entry = new Entry(envelope, order++) { Turn = dueAt };
                byId.Add(envelope.Id, entry);
                waiting.Add(entry);
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
            while (due.Count < max && waiting.Min is { } entry && entry.Turn <= now)
            {
                waiting.Remove(entry);
                entry.Turn = now + lease;
                waiting.Add(entry);
                claimed += entry.IsClaimed ? 0 : 1;
                entry.IsClaimed = true;
                due.Add(entry.Envelope);
            }

            return ValueTask.FromResult(new DueBatch<Envelope>(due, waiting.Min?.Turn));
        }
    }

    public override ValueTask RemoveAsync(Envelope envelope, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (byId.Remove(envelope.Id, out var entry))
            {
                waiting.Remove(entry);
                if (entry.IsClaimed)
                {
                    claimed--;
                }
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<IReadOnlyList<DelayedEvent>> ListAsync(int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult<IReadOnlyList<DelayedEvent>>([.. waiting.Where(entry => !entry.IsClaimed).Take(max).Select(Show)]);
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
            waiting.Remove(entry);
            return ValueTask.FromResult(true);
        }
    }

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(claimed + waiting.TakeWhile(entry => entry.Turn <= now).LongCount(entry => !entry.IsClaimed));
        }
    }

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult((long)byId.Count);
        }
    }

    private static DelayedEvent Show(Entry entry) => new()
    {
        EventId = entry.Envelope.Id,
        EventName = entry.Envelope.Name,
        Key = entry.Envelope.Key,
        DueAt = entry.Turn,
    };

    private sealed class Entry(Envelope envelope, long order)
    {
        public Envelope Envelope { get; } = envelope;

        public long Order { get; } = order;

        public DateTimeOffset Turn { get; set; }

        public bool IsClaimed { get; set; }
    }
}
