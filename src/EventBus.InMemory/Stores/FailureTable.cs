using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Holds the entries of the failure store, with an index for each way of finding them: by id, by line, by the due time
/// in a subscription, and by the number of a dead letter. Not thread-safe.
/// </summary>
internal sealed class FailureTable(StoreCapacity limit, OrderKeyTable orders)
{
    private static readonly Comparer<FailedEntry> ByTime =
        Comparer<FailedEntry>.Create((a, b) => (a.ScheduledAt, a.Order).CompareTo((b.ScheduledAt, b.Order)));
    private static readonly Comparer<FailedEntry> ByNumber =
        Comparer<FailedEntry>.Create((a, b) => a.Event.Number.CompareTo(b.Event.Number));

    private readonly Dictionary<string, FailedEntry> byId = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Subscription, string Key), FailureLine> lines = [];

    // The entries of each subscription that run when they are due, by due time: neither claimed nor dead, and the first
    // of their line.
    private readonly Dictionary<string, SortedSet<FailedEntry>> schedules = new(StringComparer.Ordinal);
    private long claimedCount;
    private long nextOrder;

    // All entries share one sequence of numbers, so that an entry that was removed and stored again never reuses a
    // number.
    private long lastClaim;
    private long lastDeadNumber;

    public int Count => byId.Count;

    public SortedSet<FailedEntry> Dead { get; } = new(ByNumber);

    /// <summary>The dead entries whose alert is still to be sent.</summary>
    public SortedSet<FailedEntry> Alerts { get; } = new(ByNumber);

    public FailedEntry? Find(string id) => byId.GetValueOrDefault(id);

    public FailedEntry? FindDead(string id) => Find(id) is { IsDead: true } entry ? entry : null;

    /// <summary>Finds the entry that a caller has claimed; null if the caller has lost the claim.</summary>
    public FailedEntry? FindClaimed(FailedEvent claimed) =>
        Find(claimed.Id) is { IsClaimed: true } entry && entry.Event.Claim == claimed.Claim ? entry : null;

    public FailureLine? FindLine(FailedEvent failed) => lines.GetValueOrDefault((failed.Subscription, failed.LineKey!));

    public SortedSet<FailedEntry>? FindSchedule(string subscription) => schedules.GetValueOrDefault(subscription);

    /// <summary>Counts the entries that are claimed or due.</summary>
    public long CountDue(DateTimeOffset now) =>
        claimedCount + schedules.Values.Sum(schedule => schedule.TakeWhile(entry => entry.ScheduledAt <= now).LongCount());

    /// <summary>Adds a new entry at the end of its line.</summary>
    public void Add(FailedEvent failed)
    {
        limit.Reserve(failed.Subscription);
        var entry = new FailedEntry(WithStoreFields(failed), nextOrder);
        nextOrder++;
        byId.Add(failed.Id, entry);
        JoinLine(entry);
        AddToIndex(entry);
    }

    /// <summary>
    /// Replaces the event of an entry and ends a claim on it. The entry keeps its place in its line, unless its line
    /// changes.
    /// </summary>
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

    /// <summary>Claims an entry for an attempt.</summary>
    public FailedEvent Claim(FailedEntry entry)
    {
        RemoveFromIndex(entry);
        lastClaim++;
        entry.Event = entry.Event with
        {
            // A deferred entry keeps its status, so that it counts for its key until the caller settles it.
            Status = entry.Event.Status == FailedEventStatus.Deferred ? FailedEventStatus.Deferred : FailedEventStatus.Waiting,
            Attempts = entry.Event.Attempts + 1,
            Claim = lastClaim,
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
            lastDeadNumber++;
        }

        return failed with { Claim = 0, WasInterrupted = false, Number = isDead ? lastDeadNumber : 0 };
    }

    private void JoinLine(FailedEntry entry)
    {
        if (entry.Event.LineKey is not { } key)
        {
            return;
        }

        var line = FindLine(entry.Event);
        if (line is null)
        {
            line = new FailureLine();
            lines.Add((entry.Event.Subscription, key), line);
        }

        entry.Line = line;
        entry.LineNode = line.Entries.AddLast(entry);
    }

    private void LeaveLine(FailedEntry entry)
    {
        if (entry.Line is not { } line)
        {
            return;
        }

        var wasHead = entry.IsHead;
        line.Entries.Remove(entry.LineNode!);
        entry.Line = null;
        entry.LineNode = null;
        var next = line.Entries.First?.Value;
        if (next is null)
        {
            lines.Remove((entry.Event.Subscription, entry.Event.LineKey!));
        }
        else if (wasHead && !next.IsDead)
        {
            // The next entry is the head now, so it is scheduled. A dead one waits for an operator.
            RemoveFromIndex(next);
            AddToIndex(next);
        }
    }

    /// <summary>
    /// Counts a claimed entry, indexes a dead one, and schedules any other one that is the head of its line.
    /// </summary>
    private void AddToIndex(FailedEntry entry)
    {
        orders.Add(entry);
        if (entry.IsClaimed)
        {
            claimedCount++;
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
                entry.Line!.ParkedCount++;
            }

            // A parked entry at the head may run at once, which the earliest possible time means. All others wait for
            // their due time.
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
            claimedCount--;
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
                line.ParkedCount--;
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
            schedule = new SortedSet<FailedEntry>(ByTime);
            schedules.Add(entry.Event.Subscription, schedule);
        }

        return schedule;
    }
}
