using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Holds the entries of the failure store, and finds them by id, by line, and by what they wait for. Not thread-safe.
/// </summary>
internal sealed class FailureTable(StoreCapacity limit, OrderKeyTable orders)
{
    private readonly Dictionary<string, FailedEntry> byId = new(StringComparer.Ordinal);
    private readonly FailureLines lines = new();
    private long nextOrder;

    // All entries share one sequence of numbers, so that an entry that was removed and stored again never reuses a
    // number.
    private long lastClaim;
    private long lastDeadNumber;

    public int Count => byId.Count;

    /// <summary>Finds the entries that are due, the dead ones, and those whose alert is still to be sent.</summary>
    public FailureIndex Index { get; } = new(orders);

    public FailedEntry? Find(string id) => byId.GetValueOrDefault(id);

    public FailedEntry? FindDead(string id) => Find(id) is { IsDead: true } entry ? entry : null;

    /// <summary>Finds the entry that a caller has claimed; null if the caller has lost the claim.</summary>
    public FailedEntry? FindClaimed(FailedEvent claimed) =>
        Find(claimed.Id) is { IsClaimed: true } entry && entry.Event.Claim == claimed.Claim ? entry : null;

    public FailureLine? FindLine(FailedEvent failed) => lines.Find(failed);

    /// <summary>Adds a new entry at the end of its line.</summary>
    public void Add(FailedEvent failed)
    {
        limit.Reserve(failed.Subscription);
        var entry = new FailedEntry(WithStoreFields(failed), nextOrder);
        nextOrder++;
        byId.Add(failed.Id, entry);
        lines.Join(entry);
        Index.Add(entry);
    }

    /// <summary>
    /// Replaces the event of an entry and ends a claim on it. The entry keeps its place in its line, unless its line
    /// changes.
    /// </summary>
    public void Replace(FailedEntry entry, FailedEvent failed)
    {
        Index.Remove(entry);
        var changesLine = entry.Event.LineKey != failed.LineKey;
        if (changesLine)
        {
            LeaveLine(entry);
        }

        entry.Event = WithStoreFields(failed);
        if (changesLine)
        {
            lines.Join(entry);
        }

        Index.Add(entry);
    }

    /// <summary>Claims the due entries of subscriptions, at most a number of each.</summary>
    public DueBatch<FailedEvent> ClaimDue(IEnumerable<string> subscriptions, DateTimeOffset now, int max)
    {
        var (due, next) = Index.FindDue(subscriptions, now, max);
        return new DueBatch<FailedEvent>([.. due.Select(Claim)], next);
    }

    public void Remove(FailedEntry entry)
    {
        Index.Remove(entry);
        LeaveLine(entry);
        byId.Remove(entry.Event.Id);
        limit.Release(entry.Event.Subscription);
    }

    /// <summary>Claims an entry for an attempt.</summary>
    private FailedEvent Claim(FailedEntry entry)
    {
        Index.Remove(entry);
        lastClaim++;
        entry.Event = entry.Event with
        {
            // A deferred entry keeps its status, so that it counts for its key until the caller settles it.
            Status = entry.Event.Status == FailedEventStatus.Deferred ? FailedEventStatus.Deferred : FailedEventStatus.Waiting,
            Attempts = entry.Event.Attempts + 1,
            Claim = lastClaim,
        };
        Index.Add(entry);
        return entry.Event;
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

    private void LeaveLine(FailedEntry entry)
    {
        // The next entry of the line is scheduled. A dead one waits for an operator.
        if (lines.Leave(entry) is { IsDead: false } head)
        {
            Index.Remove(head);
            Index.Add(head);
        }
    }
}
