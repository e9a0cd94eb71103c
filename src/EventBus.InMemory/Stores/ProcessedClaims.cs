using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Holds the claims and the marks of one subscription: the events that are being handled, and those that were handled.
/// Not thread-safe.
/// </summary>
/// <param name="limit">The limit of the keys. When it is reached, new keys are refused.</param>
/// <param name="tokens">Generates the fencing tokens of the claims.</param>
internal sealed class ProcessedClaims(StoreCapacity limit, FencingSequence tokens)
{
    // A claim whose lease ended this long ago is removed: no delivery of the event takes it over.
    private static readonly TimeSpan AbandonedAfter = TimeSpan.FromDays(1);

    private readonly ProcessedTable table = new();

    private ProcessedRoom room = new(limit);

    public int Count => table.Count;

    /// <summary>
    /// Claims a new key until it is completed or released. Returns false for a known key, and for a key that begins a
    /// shortage or may have no room: <see cref="Claim(in ProcessedKey, long, DateTimeOffset, TimeSpan)"/> then decides.
    /// </summary>
    public bool TryClaim(in ProcessedKey key, out long fencingToken)
    {
        if (room.NeedsCheck(table.Count) || !table.TryAdd(key, out var index))
        {
            fencingToken = 0;
            return false;
        }

        fencingToken = Claim(index, DateTimeOffset.MaxValue);
        return true;
    }

    /// <summary>Claims a key with a lease, unless it is done or its claim has not ended.</summary>
    /// <exception cref="StoreRefusedException">There is no room for a new key.</exception>
    public ProcessedClaim Claim(in ProcessedKey key, long fingerprint, DateTimeOffset now, TimeSpan lease)
    {
        var index = table.Find(key);
        if (index >= 0 && (table[index].IsDone || table[index].Until > now.UtcTicks))
        {
            var details = table.DetailsOf(index);
            return new ProcessedClaim(
                table[index].IsDone ? ProcessedState.Done : ProcessedState.InProgress,
                0,
                details?.Fingerprint ?? 0,
                details?.Outbox ?? []);
        }

        if (index < 0)
        {
            room.Check(key.Subscription, table.Count);
            table.TryAdd(key, out index);
        }

        table.SetDetails(index, fingerprint, []);
        return new ProcessedClaim(ProcessedState.New, Claim(index, now + lease), fingerprint, []);
    }

    /// <summary>Returns the fencing token of a key's latest claim; 0 if there is none.</summary>
    public long FencingTokenOf(in ProcessedKey key)
    {
        var index = table.Find(key);
        return index >= 0 ? table[index].FencingToken : 0;
    }

    /// <summary>True if a key is claimed and not done.</summary>
    public bool IsClaimed(in ProcessedKey key)
    {
        var index = table.Find(key);
        return index >= 0 && !table[index].IsDone;
    }

    /// <summary>Renews the lease of a claim. Returns false if the claim was lost.</summary>
    public bool Renew(in ProcessedKey key, long fencingToken, DateTimeOffset until)
    {
        var index = table.Find(key, fencingToken);
        var isClaimed = index >= 0 && !table[index].IsDone;
        if (isClaimed)
        {
            table[index].Until = until.UtcTicks;
        }

        return isClaimed;
    }

    /// <summary>Marks a claimed key as done.</summary>
    /// <param name="key">The key.</param>
    /// <param name="fencingToken">The fencing token of the claim.</param>
    /// <param name="keepUntil">The end of the retention.</param>
    /// <param name="outbox">The events that the handler published.</param>
    /// <returns>
    /// False if the claim was lost. True also if the key was done already: a repeated call returns the same result as
    /// the first one.
    /// </returns>
    public bool Complete(in ProcessedKey key, long fencingToken, DateTimeOffset keepUntil, IReadOnlyList<Envelope> outbox)
    {
        var index = table.Find(key, fencingToken);
        if (index >= 0 && !table[index].IsDone)
        {
            table[index].SetDone(keepUntil.UtcTicks);
            if (outbox.Count > 0)
            {
                // The mark does not expire before MarkDispatched: its events must be sent first.
                table.SetDetails(index, table.DetailsOf(index)?.Fingerprint ?? 0, outbox);
            }
            else
            {
                table.LetExpire(index);
            }
        }

        return index >= 0;
    }

    /// <summary>Records that the events of a key that is done were sent.</summary>
    public void MarkDispatched(in ProcessedKey key)
    {
        var index = table.Find(key);
        if (index >= 0 && table[index].IsDone && table.DetailsOf(index) is { Outbox.Count: > 0 } details)
        {
            table.SetDetails(index, details.Fingerprint, []);
            table.LetExpire(index);
        }
    }

    /// <summary>Removes a claimed key. Returns false if it is done, or if the claim was lost.</summary>
    public bool Release(in ProcessedKey key, long fencingToken)
    {
        var index = table.Find(key, fencingToken);
        if (index < 0 || table[index].IsDone)
        {
            return false;
        }

        table.Remove(index);
        room.EndShortage(table.Count);
        return true;
    }

    /// <summary>Removes expired keys and abandoned claims. Returns their number.</summary>
    public int Sweep(DateTimeOffset now, int max)
    {
        var removed = 0;
        while (removed < max && table.FirstToExpire >= 0 && table[table.FirstToExpire].Until <= now.UtcTicks)
        {
            table.RemoveFirstToExpire();
            removed++;
        }

        var abandonedBefore = (now - AbandonedAfter).UtcTicks;
        var abandoned = table.Claimed().Where(index => table[index].Until <= abandonedBefore).Take(max - removed).ToList();
        foreach (var index in abandoned)
        {
            table.Remove(index);
            removed++;
        }

        room.EndShortage(table.Count);
        return removed;
    }

    private long Claim(int index, DateTimeOffset until)
    {
        ref var entry = ref table[index];
        entry.FencingToken = tokens.Next();
        entry.Until = until.UtcTicks;
        return entry.FencingToken;
    }
}
