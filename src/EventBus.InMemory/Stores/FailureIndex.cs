using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Indexes the entries of the failure store by what they wait for: those to run by subscription and due time, and the
/// dead ones by number. Not thread-safe.
/// </summary>
/// <param name="orders">The order keys, which count their deferred entries.</param>
internal sealed class FailureIndex(OrderKeyTable orders)
{
    private static readonly Comparer<FailedEntry> ByTime =
        Comparer<FailedEntry>.Create((a, b) => (a.ScheduledAt, a.Order).CompareTo((b.ScheduledAt, b.Order)));
    private static readonly Comparer<FailedEntry> ByNumber =
        Comparer<FailedEntry>.Create((a, b) => a.Event.Number.CompareTo(b.Event.Number));

    // The entries of each subscription that run when they are due, by due time: neither claimed nor dead, and the first
    // of their line.
    private readonly Dictionary<string, SortedSet<FailedEntry>> schedules = new(StringComparer.Ordinal);
    private readonly FailureCounter counter = new();
    private long claimedCount;

    /// <summary>The dead entries, in the order of their numbers.</summary>
    public SortedSet<FailedEntry> Dead { get; } = new(ByNumber);

    /// <summary>The dead entries whose alert is still to be sent.</summary>
    public SortedSet<FailedEntry> Alerts { get; } = new(ByNumber);

    /// <summary>Counts the entries that are claimed or due.</summary>
    public long CountDue(DateTimeOffset now) =>
        claimedCount + schedules.Values.Sum(schedule => schedule.TakeWhile(entry => entry.ScheduledAt <= now).LongCount());

    /// <summary>Returns the numbers of entries of each subscription, by status.</summary>
    public IReadOnlyList<FailureCounts> CountByState() =>
        [.. counter.All.Select(counts => counts with { OldestDue = EarliestOf(counts.Subscription!) })];

    /// <summary>Finds the first due entries of each subscription, the earliest first.</summary>
    /// <param name="subscriptions">The names of the subscriptions.</param>
    /// <param name="now">The current time.</param>
    /// <param name="max">The maximum number of entries of a subscription.</param>
    /// <returns>The entries, and the time of the first entry that is not among them; null if there is none.</returns>
    public (List<FailedEntry> Due, DateTimeOffset? Next) FindDue(IEnumerable<string> subscriptions, DateTimeOffset now, int max)
    {
        var due = new List<FailedEntry>();
        DateTimeOffset? next = null;
        foreach (var schedule in subscriptions.Select(name => schedules.GetValueOrDefault(name)).OfType<SortedSet<FailedEntry>>())
        {
            var taken = 0;
            foreach (var entry in schedule)
            {
                if (taken == max || entry.ScheduledAt > now)
                {
                    // The schedule is sorted, so this is its earliest entry that is left.
                    if (next is null || entry.ScheduledAt < next)
                    {
                        next = entry.ScheduledAt;
                    }

                    break;
                }

                due.Add(entry);
                taken++;
            }
        }

        due.Sort(ByTime);
        return (due, next);
    }

    /// <summary>
    /// Adds an entry to its order key. Counts a claimed entry, indexes a dead one, and schedules any other one that is
    /// the head of its line.
    /// </summary>
    public void Add(FailedEntry entry)
    {
        orders.Add(entry);
        counter.Add(entry.Event, 1);
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

    /// <summary>Removes what <see cref="Add"/> has added. Call it before the entry changes.</summary>
    public void Remove(FailedEntry entry)
    {
        orders.Remove(entry);
        counter.Add(entry.Event, -1);
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

    /// <summary>
    /// Returns the time of the earliest entry of a subscription; null for none. Parked entries have no time.
    /// </summary>
    private DateTimeOffset? EarliestOf(string subscription) =>
        schedules.GetValueOrDefault(subscription)?.FirstOrDefault(entry => entry.ScheduledAt != default)?.ScheduledAt;

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
