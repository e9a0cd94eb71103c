using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Implements the operations of the failure store that depend on what it holds: records, parks, defers and completes an
/// event, and counts its attempts. Each method runs inside a step that the writer has queued
/// (<see cref="SqlOperation"/>).
/// </summary>
internal sealed class FailureOperations(string prefix, FailureTable table, OrderTable orders, AttemptTable attempts)
{
    private readonly FailureLines lines = new(prefix);

    /// <summary>Stores a failed event.</summary>
    /// <param name="session">The session.</param>
    /// <param name="entry">The event.</param>
    /// <param name="contents">The large parts of the entry; null to leave the stored ones unchanged.</param>
    /// <returns>False if the event is stored already, or if the caller has lost its claim.</returns>
    public async ValueTask<bool> RecordAsync(SqlSession session, FailedEvent entry, FailureContents? contents)
    {
        var kept = await FindAsync(session, entry);
        if (!IsUnsettled(kept, entry))
        {
            return false;
        }

        // Without its contents the entry cannot be inserted again, so it stays in its line (FailureTable.KeepAsync).
        var changed = contents is null ? entry with { LineKey = kept!.LineKey } : entry;
        await KeepAsync(session, kept, changed, contents);
        return true;
    }

    /// <summary>
    /// Counts attempts of an event, and returns the new count; null if the event is stored as an entry, which counts
    /// them.
    /// </summary>
    public async ValueTask<AttemptCount?> CountAttemptAsync(
        SqlSession session,
        string subscription,
        string eventId,
        AttemptCount added,
        DateTimeOffset now)
    {
        var isStored = await table.FindAsync(session, subscription, eventId) is not null;
        return isStored ? null : await attempts.CountAsync(session, subscription, eventId, added, now);
    }

    /// <summary>Parks an event if its key has a line, and the line has room.</summary>
    public async ValueTask<ParkOutcome> ParkAsync(SqlSession session, FailedEvent entry, FailureContents contents, int limit)
    {
        if (!await lines.ExistsAsync(session, entry.Subscription, entry.LineKey!))
        {
            return ParkOutcome.NotBlocked;
        }

        // A second copy of an event that is in the line already, or is being processed, changes nothing.
        if (await FindAsync(session, entry) is not null)
        {
            return ParkOutcome.Parked;
        }

        if (await lines.CountParkedAsync(session, entry.Subscription, entry.LineKey!, limit) >= limit)
        {
            return ParkOutcome.LineFull;
        }

        await KeepAsync(session, null, entry, contents);
        return ParkOutcome.Parked;
    }

    /// <summary>Defers an event if the state of its order key is still the one that the guard has seen.</summary>
    public async ValueTask<DeferOutcome> DeferAsync(
        SqlSession session,
        FailedEvent entry,
        FailureContents contents,
        long stamp,
        int limit)
    {
        var kept = await FindAsync(session, entry);
        if (!IsUnsettled(kept, entry))
        {
            return DeferOutcome.Deferred;
        }

        if ((await orders.StateAsync(session, entry.Subscription, entry.OrderKey!)).Stamp != stamp)
        {
            return DeferOutcome.Changed;
        }

        // A claimed entry that was deferred before is counted already.
        if (kept?.Status != FailedEventStatus.Deferred
            && await orders.CountDeferredAsync(session, entry.Subscription, entry.OrderKey!, limit) >= limit)
        {
            return DeferOutcome.Full;
        }

        await KeepAsync(session, kept, entry, contents);
        return DeferOutcome.Deferred;
    }

    /// <summary>Removes a claimed entry. Returns false if the caller has lost the claim.</summary>
    public async ValueTask<bool> CompleteAsync(SqlSession session, FailedEvent entry)
    {
        var kept = await FindAsync(session, entry);
        if (kept is null || !IsUnsettled(kept, entry))
        {
            return false;
        }

        await table.RemoveAsync(session, kept);
        return true;
    }

    /// <summary>
    /// Returns true if the caller may still change the entry: it is not stored yet, or the caller holds its claim.
    /// </summary>
    private static bool IsUnsettled(FailureRow? kept, FailedEvent entry)
    {
        var isNew = entry.Claim == 0;
        return isNew ? kept is null : kept?.Claim == entry.Claim;
    }

    private ValueTask<FailureRow?> FindAsync(SqlSession session, FailedEvent entry) =>
        table.FindAsync(session, entry.Subscription, entry.Envelope.Id);

    private async ValueTask KeepAsync(SqlSession session, FailureRow? kept, FailedEvent entry, FailureContents? contents)
    {
        await table.KeepAsync(session, kept, entry, contents);
        if (entry.Claim == 0)
        {
            await attempts.ForgetAsync(session, entry.Subscription, entry.Envelope.Id);
        }
    }
}
