using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Implements the operations of the failure store that depend on what it holds: records, parks, defers and completes an
/// event, counts its attempts, and advances an order key. Not thread-safe.
/// </summary>
internal sealed class FailureOperations(FailureTables tables)
{
    private readonly FailureTable table = tables.Entries;
    private readonly OrderKeyTable orders = tables.Orders;
    private readonly AttemptCounts attempts = tables.Attempts;

    /// <summary>
    /// Stores a failed event. Returns false if it is stored already, or if the caller has lost its claim.
    /// </summary>
    public bool TryRecord(FailedEvent entry)
    {
        if (!MayStore(entry))
        {
            return false;
        }

        Store(entry);
        return true;
    }

    /// <summary>
    /// Counts attempts of an event, and returns the new count; null if the event is stored, whose entry counts them.
    /// </summary>
    public AttemptCount? CountAttempt(string id, AttemptCount added, DateTimeOffset now) =>
        table.Find(id) is null ? attempts.Add(id, added, now) : null;

    /// <summary>Parks an event if its key has a line, and the line has room.</summary>
    public ParkOutcome Park(FailedEvent entry, int limit)
    {
        if (table.FindLine(entry) is not { } line)
        {
            return ParkOutcome.NotBlocked;
        }

        // A duplicate of an event that is already in the line, or is being handled, changes nothing.
        if (table.Find(entry.Id) is not null)
        {
            return ParkOutcome.Parked;
        }

        if (line.ParkedCount >= limit)
        {
            return ParkOutcome.LineFull;
        }

        Store(entry);
        return ParkOutcome.Parked;
    }

    /// <summary>Defers an event if the state of its order key is still the one that the guard has seen.</summary>
    public DeferOutcome Defer(FailedEvent entry, long stamp, int limit)
    {
        if (!MayStore(entry))
        {
            return DeferOutcome.Deferred;
        }

        if (orders.StateOf(entry.Subscription, entry.OrderKey!).Stamp != stamp)
        {
            return DeferOutcome.Changed;
        }

        // A claimed event that was deferred before is already counted.
        if (orders.CountDeferred(entry) >= limit && table.Find(entry.Id)?.Event.Status != FailedEventStatus.Deferred)
        {
            return DeferOutcome.Full;
        }

        Store(entry with { LineKey = null });
        return DeferOutcome.Deferred;
    }

    /// <summary>Removes a claimed entry, unless the caller has lost the claim.</summary>
    public void Complete(FailedEvent entry)
    {
        if (table.FindClaimed(entry) is { } claimed)
        {
            table.Remove(claimed);
        }
    }

    /// <summary>
    /// Raises the position of an order key, and makes those of its deferred events due that the guard must check again.
    /// </summary>
    /// <returns>True if one of them may run.</returns>
    public bool Advance(string subscription, string orderKey, long? position, DateTimeOffset now)
    {
        orders.Raise(subscription, orderKey, position, now);
        var woken = orders.DeferredToCheck(subscription, orderKey);
        foreach (var entry in woken.Where(entry => entry.Event.DueAt > now))
        {
            table.Replace(entry, entry.Event with { DueAt = now });
        }

        return woken.Exists(entry => entry.IsScheduled);
    }

    /// <summary>
    /// True if the caller may store the event: without a claim, if it is not stored yet; with a claim, while the claim
    /// is valid.
    /// </summary>
    private bool MayStore(FailedEvent entry) => entry.Claim == 0 ? table.Find(entry.Id) is null : table.FindClaimed(entry) is not null;

    /// <summary>Adds a new event, or replaces a claimed entry and ends its claim.</summary>
    private void Store(FailedEvent entry)
    {
        if (entry.Claim == 0)
        {
            table.Add(entry);
            attempts.Forget(entry.Id);
        }
        else
        {
            table.Replace(table.FindClaimed(entry)!, entry);
        }
    }
}
