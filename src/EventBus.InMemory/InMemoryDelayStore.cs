using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Delayed events, kept until the process ends.</summary>
internal sealed class InMemoryDelayStore(int capacity) : DelayStore
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Entry> byId = new(StringComparer.Ordinal);

    // By due time, or by the end of the lease of what is claimed; what was removed since is passed over when its turn comes.
    private readonly PriorityQueue<Entry, (DateTimeOffset DueAt, long Order)> waiting = new();
    private long order;

    public override TimeSpan PollInterval => Timeout.InfiniteTimeSpan;

    public override ValueTask AddAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (!byId.ContainsKey(envelope.EventId))
            {
                if (byId.Count >= capacity)
                {
                    throw new InvalidOperationException($"The in-memory store holds {capacity:N0} delayed events already. Raise InMemoryOptions.StoreCapacity, or use a durable store.");
                }

                var entry = new Entry(envelope, dueAt);
                byId.Add(envelope.EventId, entry);
                waiting.Enqueue(entry, (dueAt, order++));
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<DueBatch<Envelope>> ClaimDueAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var due = new List<Envelope>();
            while (due.Count < max && waiting.TryPeek(out var entry, out var turn) && turn.DueAt <= now)
            {
                waiting.Dequeue();
                if (!entry.IsRemoved)
                {
                    waiting.Enqueue(entry, (now + lease, order++));
                    due.Add(entry.Envelope);
                }
            }

            return ValueTask.FromResult(new DueBatch<Envelope>(due, waiting.TryPeek(out _, out var next) ? next.DueAt : null));
        }
    }

    public override ValueTask RemoveAsync(Envelope envelope, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (byId.Remove(envelope.EventId, out var entry))
            {
                entry.IsRemoved = true;
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(byId.Values.LongCount(entry => entry.DueAt <= now));
        }
    }

    private sealed class Entry(Envelope envelope, DateTimeOffset dueAt)
    {
        public Envelope Envelope { get; } = envelope;

        public DateTimeOffset DueAt { get; } = dueAt;

        public bool IsRemoved { get; set; }
    }
}
