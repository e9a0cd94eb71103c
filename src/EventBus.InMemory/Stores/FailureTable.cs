using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Holds the entries of the failure store, with an index for each way of finding them: the id, the line, the due time
/// in their subscription, and the number of a dead letter. Not thread-safe.
/// </summary>
internal sealed class FailureTable(StoreCapacity limit, OrderKeyTable orders)
{
    private static readonly Comparer<FailedEntry> ByTime =
        Comparer<FailedEntry>.Create((a, b) => (a.ScheduledAt, a.Order).CompareTo((b.ScheduledAt, b.Order)));
    private static readonly Comparer<FailedEntry> ByNumber =
        Comparer<FailedEntry>.Create((a, b) => a.Event.Number.CompareTo(b.Event.Number));

    private readonly Dictionary<string, FailedEntry> byId = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Subscription, string Key), FailureLine> lines = [];

    // The waiting entries of each subscription, by due time. Each entry is in it at most once.
    private readonly Dictionary<string, SortedSet<FailedEntry>> schedules = new(StringComparer.Ordinal);
    private long claimed;
    private long orderNumber;

    // All entries share one sequence of numbers, so that an entry that was removed and stored again never reuses a
    // number.
    private long claimNumber;
    private long deadNumber;

    public int Count => byId.Count;

    public SortedSet<FailedEntry> Dead { get; } = new(ByNumber);

    /// <summary>The dead entries whose alert is still to be sent.</summary>
    public SortedSet<FailedEntry> Alerts { get; } = new(ByNumber);

    public FailedEntry? Find(string id) => byId.GetValueOrDefault(id);

    public FailedEntry? FindDead(string id) => Find(id) is { IsDead: true } entry ? entry : null;

    /// <summary>Finds the entry that a caller has claimed; null if the caller has lost the claim.</summary>
    public FailedEntry? FindClaimed(FailedEvent claim) =>
        Find(claim.Id) is { IsClaimed: true } entry && entry.Event.Claim == claim.Claim ? entry : null;

    public FailureLine? FindLine(FailedEvent failed) => lines.GetValueOrDefault((failed.Subscription, failed.LineKey!));

    public SortedSet<FailedEntry>? FindSchedule(string subscription) => schedules.GetValueOrDefault(subscription);

    public long CountDue(DateTimeOffset now) =>
        claimed + schedules.Values.Sum(schedule => schedule.TakeWhile(entry => entry.ScheduledAt <= now).LongCount());

    /// <summary>Adds a new entry at the end of its line.</summary>
    public void Add(FailedEvent failed)
    {
        limit.Reserve(failed.Subscription);
        var entry = new FailedEntry(WithStoreFields(failed), orderNumber);
        orderNumber++;
        byId.Add(failed.Id, entry);
        JoinLine(entry);
        AddToIndex(entry);
    }

    /// <summary>Replaces an entry and ends a claim on it.</summary>
    public void Replace(FailedEntry entry, FailedEvent failed)
    {
        RemoveFromIndex(entry);
        var changesLine = entry.Event.LineKey != failed.LineKey;
        if (changesLine)
        {
            LeaveLine(entry);
        }

        entry.Event = WithStoreFields(failed);
        if (changesLine)
        {
            JoinLine(entry);
        }

        AddToIndex(entry);
    }

    public FailedEvent Claim(FailedEntry entry)
    {
        RemoveFromIndex(entry);
        claimNumber++;
        entry.Event = entry.Event with
        {
            // A deferred entry keeps its status, so that it counts for its key until the caller settles it.
            Status = entry.Event.Status == FailedEventStatus.Deferred ? FailedEventStatus.Deferred : FailedEventStatus.Waiting,
            Attempts = entry.Event.Attempts + 1,
            Claim = claimNumber,
        };
        AddToIndex(entry);
        return entry.Event;
    }

    public void Remove(FailedEntry entry)
    {
        RemoveFromIndex(entry);
        LeaveLine(entry);
        byId.Remove(entry.Event.Id);
        limit.Release(entry.Event.Subscription);
    }

    /// <summary>
    /// Sets the fields that belong to the store: the entry has no claim, and a dead letter gets the next number.
    /// </summary>
    private FailedEvent WithStoreFields(FailedEvent failed)
    {
        var isDead = failed.Status == FailedEventStatus.Dead;
        if (isDead)
        {
            deadNumber++;
        }

        return failed with { Claim = 0, WasInterrupted = false, Number = isDead ? deadNumber : 0 };
    }

    private void JoinLine(FailedEntry entry)
    {
        if (entry.Event.LineKey is { } key)
        {
            if (FindLine(entry.Event) is not { } line)
            {
                line = new FailureLine();
                lines.Add((entry.Event.Subscription, key), line);
            }

            entry.Line = line;
            entry.Place = line.Entries.AddLast(entry);
        }
    }

    private void LeaveLine(FailedEntry entry)
    {
        if (entry.Line is not { } line)
        {
            return;
        }

        var wasHead = entry.IsHead;
        line.Entries.Remove(entry.Place!);
        (entry.Line, entry.Place) = (null, null);
        if (line.Entries.First is not { Value: var next })
        {
            lines.Remove((entry.Event.Subscription, entry.Event.LineKey!));
        }
        else if (wasHead && !next.IsDead)
        {
            // The next entry of the line may run, unless it is dead: a dead one waits for an operator.
            RemoveFromIndex(next);
            AddToIndex(next);
        }
    }

    /// <summary>Adds an entry to the index of its status: claimed, dead, or scheduled if it may run.</summary>
    private void AddToIndex(FailedEntry entry)
    {
        orders.Add(entry);
        if (entry.IsClaimed)
        {
            claimed++;
        }
        else if (entry.IsDead)
        {
            Dead.Add(entry);
            if (entry.Event.NeedsAlert)
            {
                // The earliest possible time: the alert is due at once.
                entry.AlertAt = default;
                Alerts.Add(entry);
            }
        }
        else
        {
            var isParked = entry is { Event.Status: FailedEventStatus.Parked, Line: not null };
            if (isParked)
            {
                entry.Line!.Parked++;
            }

            // A parked entry at the head may run at once. All others wait for their due time.
            if (entry.IsHead)
            {
                entry.ScheduledAt = isParked ? default : entry.Event.DueAt;
                ScheduleOf(entry).Add(entry);
                entry.IsScheduled = true;
            }
        }
    }

    private void RemoveFromIndex(FailedEntry entry)
    {
        orders.Remove(entry);
        if (entry.IsClaimed)
        {
            claimed--;
        }
        else if (entry.IsDead)
        {
            Dead.Remove(entry);
            Alerts.Remove(entry);
        }
        else
        {
            if (entry is { Event.Status: FailedEventStatus.Parked, Line: { } line })
            {
                line.Parked--;
            }

            if (entry.IsScheduled)
            {
                ScheduleOf(entry).Remove(entry);
                entry.IsScheduled = false;
            }
        }
    }

    private SortedSet<FailedEntry> ScheduleOf(FailedEntry entry)
    {
        if (!schedules.TryGetValue(entry.Event.Subscription, out var schedule))
        {
            schedules.Add(entry.Event.Subscription, schedule = new SortedSet<FailedEntry>(ByTime));
        }

        return schedule;
    }
}
