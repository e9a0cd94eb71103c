using EventBus.Stores;

namespace EventBus;

/// <summary>Failed events, kept until the process ends. A line for each key of an ordered subscription; only its head is due.</summary>
internal sealed class InMemoryFailureStore(int capacity) : FailureStore
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Entry> byId = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Subscription, string Key), Line> lines = [];

    // What waits in each subscription, by due time. An entry is in it at most once.
    private readonly Dictionary<string, SortedSet<Entry>> schedules = new(StringComparer.Ordinal);
    private readonly SortedDictionary<long, Entry> dead = [];
    private long order;
    private long claimed;

    public override TimeSpan PollInterval => Timeout.InfiniteTimeSpan;

    public override ValueTask RecordAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var kept = byId.TryGetValue(entry.Id, out var known) ? known : Keep(entry);
            Leave(kept);
            kept.Event = entry;
            Enter(kept);
            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (!lines.TryGetValue((entry.Subscription, entry.LineKey!), out var line))
            {
                return ValueTask.FromResult(ParkOutcome.NotBlocked);
            }

            if (byId.ContainsKey(entry.Id))
            {
                // A second copy of what stands in the line already, or of what is running.
                return ValueTask.FromResult(ParkOutcome.Parked);
            }

            if (line.Parked >= limit)
            {
                return ValueTask.FromResult(ParkOutcome.LineFull);
            }

            Enter(Keep(entry));
            return ValueTask.FromResult(ParkOutcome.Parked);
        }
    }

    public override ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken)
    {
        // No lease is needed: whoever claims lives and dies with the store.
        lock (gate)
        {
            var due = new List<FailedEvent>();
            DateTimeOffset? next = null;
            foreach (var subscription in subscriptions)
            {
                if (!schedules.TryGetValue(subscription, out var schedule))
                {
                    continue;
                }

                for (var taken = 0; taken < max && schedule.Min is { } first && first.ScheduledAt <= now; taken++)
                {
                    due.Add(Claim(first));
                }

                next = schedule.Min is { } waiting && (next is null || waiting.ScheduledAt < next) ? waiting.ScheduledAt : next;
            }

            return ValueTask.FromResult(new DueBatch<FailedEvent>(due, next));
        }
    }

    public override ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (byId.TryGetValue(entry.Id, out var kept))
            {
                Remove(kept);
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<IReadOnlyList<FailedEvent>> ListDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult<IReadOnlyList<FailedEvent>>([.. Matching(filter).Reverse().Skip(filter.Skip).Take(filter.Take)]);
        }
    }

    public override ValueTask<FailedEvent?> FindDeadAsync(string id, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(FindDead(id)?.Event);
        }
    }

    public override ValueTask<bool> ReviveAsync(string id, DateTimeOffset now, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (FindDead(id) is not { } entry)
            {
                return ValueTask.FromResult(false);
            }

            Leave(entry);
            entry.Event = entry.Event with { Status = FailedEventStatus.Waiting, Starts = 0, DueAt = now };
            Enter(entry);
            return ValueTask.FromResult(true);
        }
    }

    public override ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var entry = FindDead(id);
            if (entry is not null)
            {
                Remove(entry);
            }

            return ValueTask.FromResult(entry is not null);
        }
    }

    public override ValueTask<long> CountDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(Matching(filter).LongCount());
        }
    }

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(claimed + schedules.Values.Sum(schedule => schedule.TakeWhile(entry => entry.ScheduledAt <= now).LongCount()));
        }
    }

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult((long)byId.Count);
        }
    }

    private IEnumerable<FailedEvent> Matching(DeadLetterFilter filter) => dead.Values.Select(entry => entry.Event).Where(e =>
        (filter.Subscription is null || filter.Subscription == e.Subscription)
        && (filter.EventName is null || filter.EventName == e.Envelope.EventName)
        && (filter.EventId is null || filter.EventId == e.Envelope.EventId)
        && (filter.Reason is null || filter.Reason == e.Reason));

    private Entry? FindDead(string id) => byId.TryGetValue(id, out var entry) && entry.Event.Status == FailedEventStatus.Dead ? entry : null;

    /// <summary>Makes room for an event, at the end of its line.</summary>
    private Entry Keep(FailedEvent failed)
    {
        if (byId.Count >= capacity)
        {
            throw new InvalidOperationException($"The in-memory store holds {capacity:N0} failed events already. Retry or discard dead letters, raise InMemoryOptions.StoreCapacity, or use a durable store.");
        }

        var entry = new Entry(failed, order++);
        byId.Add(failed.Id, entry);
        if (failed.LineKey is { } key)
        {
            if (!lines.TryGetValue((failed.Subscription, key), out var line))
            {
                lines.Add((failed.Subscription, key), line = new Line());
            }

            entry.Line = line;
            entry.Place = line.Entries.AddLast(entry);
        }

        return entry;
    }

    private FailedEvent Claim(Entry entry)
    {
        Leave(entry);
        entry.Event = entry.Event with { Status = FailedEventStatus.Waiting, Starts = entry.Event.Starts + 1 };
        entry.IsClaimed = true;
        claimed++;
        return entry.Event;
    }

    private void Remove(Entry entry)
    {
        Leave(entry);
        byId.Remove(entry.Event.Id);
        if (entry.Line is not { } line)
        {
            return;
        }

        var wasHead = entry.IsHead;
        line.Entries.Remove(entry.Place!);
        if (line.Entries.First is not { } next)
        {
            lines.Remove((entry.Event.Subscription, entry.Event.LineKey!));
        }
        else if (wasHead && next.Value.Event.Status != FailedEventStatus.Dead)
        {
            // The next of the line may run; a dead one waits for people.
            Leave(next.Value);
            Enter(next.Value);
        }
    }

    /// <summary>Puts an entry where its status belongs: the dead, or the schedule if it may run.</summary>
    private void Enter(Entry entry)
    {
        if (entry.Event.Status == FailedEventStatus.Dead)
        {
            entry.DeadOrder = order++;
            dead.Add(entry.DeadOrder, entry);
            return;
        }

        if (entry.Event.Status == FailedEventStatus.Parked && entry.Line is { } line)
        {
            line.Parked++;
            entry.IsParked = true;
        }

        if (entry.IsHead)
        {
            entry.ScheduledAt = entry.Event.Status == FailedEventStatus.Parked ? default : entry.Event.DueAt;
            ScheduleOf(entry).Add(entry);
            entry.IsScheduled = true;
        }
    }

    private void Leave(Entry entry)
    {
        claimed -= entry.IsClaimed ? 1 : 0;
        entry.IsClaimed = false;
        dead.Remove(entry.DeadOrder);
        if (entry.IsParked)
        {
            entry.Line!.Parked--;
            entry.IsParked = false;
        }

        if (entry.IsScheduled)
        {
            ScheduleOf(entry).Remove(entry);
            entry.IsScheduled = false;
        }
    }

    private SortedSet<Entry> ScheduleOf(Entry entry)
    {
        if (!schedules.TryGetValue(entry.Event.Subscription, out var schedule))
        {
            schedules.Add(entry.Event.Subscription, schedule = new SortedSet<Entry>(Comparer<Entry>.Create((a, b) => (a.ScheduledAt, a.Order).CompareTo((b.ScheduledAt, b.Order)))));
        }

        return schedule;
    }

    /// <summary>The failed event of a key and what came behind it.</summary>
    private sealed class Line
    {
        public LinkedList<Entry> Entries { get; } = [];

        public int Parked { get; set; }
    }

    private sealed class Entry(FailedEvent failed, long order)
    {
        public FailedEvent Event { get; set; } = failed;

        public long Order { get; } = order;

        public Line? Line { get; set; }

        public LinkedListNode<Entry>? Place { get; set; }

        /// <summary>Nothing stands before it.</summary>
        public bool IsHead => Line is null || Place == Line.Entries.First;

        public DateTimeOffset ScheduledAt { get; set; }

        public bool IsScheduled { get; set; }

        public bool IsParked { get; set; }

        public bool IsClaimed { get; set; }

        public long DeadOrder { get; set; } = -1;
    }
}
