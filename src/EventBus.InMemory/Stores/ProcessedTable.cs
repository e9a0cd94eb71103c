using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Holds the keys that one subscription has handled or is handling, in a hash table that grows in segments of a fixed
/// size. A key costs little more memory than its entry. Not thread-safe.
/// </summary>
/// <remarks>
/// A <see cref="Dictionary{TKey, TValue}"/> would copy itself each time it grows, and with a sorted set for the expiry
/// it would take five times as much memory.
/// </remarks>
internal sealed class ProcessedTable
{
    private readonly ProcessedSegments entries;
    private readonly ProcessedBuckets buckets;
    private readonly ProcessedExpiry expiry;

    // The details of the entries that have any, by the index of the entry.
    private readonly Dictionary<int, ProcessedDetails> detailsByIndex = [];

    // The key that was added last, which is usually the next one to be looked up.
    private int lastAdded = ProcessedEntry.None;

    public ProcessedTable()
    {
        entries = new ProcessedSegments();
        buckets = new ProcessedBuckets(entries, detailsByIndex);
        expiry = new ProcessedExpiry(entries);
    }

    public int Count { get; private set; }

    /// <summary>The number of entries in the fullest bucket.</summary>
    public int MostInBucket => buckets.MostInBucket;

    /// <summary>
    /// The index of the entry that expires first; <see cref="ProcessedEntry.None"/> if none may expire.
    /// </summary>
    public int FirstToExpire => expiry.First;

    public ref ProcessedEntry this[int index] => ref entries[index];

    /// <summary>Finds the index of a key; negative for none.</summary>
    public int Find(in ProcessedKey key)
    {
        if (lastAdded != ProcessedEntry.None && key.Uuid != Guid.Empty && entries[lastAdded].Uuid == key.Uuid)
        {
            return lastAdded;
        }

        return buckets.Find(key, out _);
    }

    /// <summary>Finds the index of a key that has this fencing token; negative for none.</summary>
    public int Find(in ProcessedKey key, long fencingToken)
    {
        var index = Find(key);
        return index >= 0 && entries[index].FencingToken == fencingToken ? index : ProcessedEntry.None;
    }

    /// <summary>
    /// Adds a key unless it exists. Set the <see cref="ProcessedEntry.FencingToken"/> of its entry before the next
    /// addition: an entry without one counts as unused.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="index">The index of its entry, whether it was added or existed.</param>
    /// <returns>True if it was added.</returns>
    public bool TryAdd(in ProcessedKey key, out int index)
    {
        index = buckets.Find(key, out var steps);
        if (index != ProcessedEntry.None)
        {
            return false;
        }

        buckets.Prepare(Count, steps);
        index = entries.Take();
        entries[index] = new ProcessedEntry { Uuid = key.Uuid, NextToExpire = ProcessedEntry.NotDone };
        if (key.Uuid == Guid.Empty)
        {
            detailsByIndex[index] = new ProcessedDetails(key.Key, 0, []);
        }

        buckets.Add(key, index);
        lastAdded = index;
        Count++;
        return true;
    }

    /// <summary>Removes a key that is not in the list or the queue of the entries that may expire.</summary>
    public void Remove(int index)
    {
        buckets.Remove(index);
        detailsByIndex.Remove(index);
        entries.Free(index);
        lastAdded = ProcessedEntry.None;
        Count--;
    }

    /// <summary>Gets the details of a key; null if it has none.</summary>
    public ProcessedDetails? DetailsOf(int index) => detailsByIndex.GetValueOrDefault(index);

    /// <summary>Sets the details of a key.</summary>
    public void SetDetails(int index, long fingerprint, IReadOnlyList<Envelope> outbox)
    {
        var text = DetailsOf(index)?.Text;
        if (text is null && fingerprint == 0 && outbox.Count == 0)
        {
            detailsByIndex.Remove(index);
        }
        else
        {
            detailsByIndex[index] = new ProcessedDetails(text, fingerprint, outbox);
        }
    }

    /// <summary>Returns the indexes of the entries that are claimed and not done.</summary>
    public IEnumerable<int> Claimed()
    {
        for (var index = 0; index < entries.UsedCount; index++)
        {
            if (entries[index] is { FencingToken: > 0, IsDone: false })
            {
                yield return index;
            }
        }
    }

    /// <summary>Lets an entry that is done expire at the end of its retention.</summary>
    public void LetExpire(int index) => expiry.Add(index);

    /// <summary>Removes the entry that expires first.</summary>
    public void RemoveFirstToExpire() => Remove(expiry.TakeFirst());
}
