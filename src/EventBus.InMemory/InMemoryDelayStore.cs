using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Delayed events, kept until the process ends.</summary>
internal sealed class InMemoryDelayStore(int capacity) : DelayStore
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Envelope> byId = new(StringComparer.Ordinal);
    private readonly PriorityQueue<Envelope, (DateTimeOffset DueAt, long Order)> waiting = new();
    private long order;
    private long claimed;

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

                byId.Add(envelope.EventId, envelope);
                waiting.Enqueue(envelope, (dueAt, order++));
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<DueBatch<Envelope>> ClaimDueAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken)
    {
        // No lease is needed: whoever claims lives and dies with the store.
        lock (gate)
        {
            var due = new List<Envelope>();
            while (due.Count < max && waiting.TryPeek(out var envelope, out var priority) && priority.DueAt <= now)
            {
                waiting.Dequeue();
                due.Add(envelope);
                claimed++;
            }

            return ValueTask.FromResult(new DueBatch<Envelope>(due, waiting.TryPeek(out _, out var next) ? next.DueAt : null));
        }
    }

    public override ValueTask RemoveAsync(Envelope envelope, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            claimed -= byId.Remove(envelope.EventId) ? 1 : 0;
            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(claimed + waiting.UnorderedItems.LongCount(item => item.Priority.DueAt <= now));
        }
    }
}
