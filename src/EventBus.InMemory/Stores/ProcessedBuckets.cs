using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Finds the entries of a <see cref="ProcessedTable"/> by their keys: a hash table with chaining, where a bucket is a
/// linked list of entries. Not thread-safe.
/// </summary>
/// <param name="entries">The entries.</param>
/// <param name="details">The details of the entries that have any, which contain the keys that are texts.</param>
internal sealed class ProcessedBuckets(ProcessedSegments entries, Dictionary<int, ProcessedDetails> details)
{
    // A longer chain does not occur by chance, so it is taken for an attack.
    private const int LongestChain = 100;

    // The index of the first entry of each bucket.
    private int[] buckets = NewBuckets(64);

    // True once an attack was found: the buckets of UUIDs are then chosen by a hash with a random seed.
    private bool usesSeededHash;

    /// <summary>The number of entries in the fullest bucket.</summary>
    public int MostInBucket => buckets.Max(ChainLength);

    /// <summary>Finds the index of a key; <see cref="ProcessedEntry.None"/> for none.</summary>
    /// <param name="key">The key.</param>
    /// <param name="steps">The number of entries that were compared.</param>
    public int Find(in ProcessedKey key, out int steps)
    {
        steps = 0;
        for (var index = buckets[BucketOf(key)]; index != ProcessedEntry.None; index = entries[index].Next)
        {
            steps++;
            if (entries[index].Uuid == key.Uuid
                && (key.Uuid != Guid.Empty || string.Equals(details[index].Text, key.Key, StringComparison.Ordinal)))
            {
                return index;
            }
        }

        return ProcessedEntry.None;
    }

    /// <summary>Prepares an addition: grows if the table is full, or changes the hash after an attack.</summary>
    /// <param name="count">The number of keys in the table.</param>
    /// <param name="steps">The number of entries that were compared with the key to add.</param>
    public void Prepare(int count, int steps)
    {
        if (count == buckets.Length)
        {
            Rehash(buckets.Length * 2);
        }
        else if (steps > LongestChain && !usesSeededHash)
        {
            usesSeededHash = true;
            Rehash(buckets.Length);
        }
    }

    /// <summary>Adds an entry to the bucket of its key.</summary>
    public void Add(in ProcessedKey key, int index) => AddTo(ref buckets[BucketOf(key)], index);

    /// <summary>Removes an entry from the bucket of its key.</summary>
    public void Remove(int index)
    {
        // The reference to the entry in the chain of its bucket is set to the next entry of the chain.
        ref var link = ref buckets[BucketOf(index)];
        while (link != index)
        {
            link = ref entries[link].Next;
        }

        link = entries[index].Next;
    }

    private static int[] NewBuckets(int count)
    {
        var created = new int[count];
        Array.Fill(created, ProcessedEntry.None);
        return created;
    }

    private int ChainLength(int first)
    {
        var length = 0;
        for (var index = first; index != ProcessedEntry.None; index = entries[index].Next)
        {
            length++;
        }

        return length;
    }

    private void AddTo(ref int bucket, int index)
    {
        entries[index].Next = bucket;
        bucket = index;
    }

    private int BucketOf(in ProcessedKey key) => key.Uuid == Guid.Empty ? BucketOf(key.Key) : BucketOf(key.Uuid);

    private int BucketOf(int index)
    {
        var uuid = entries[index].Uuid;
        return uuid == Guid.Empty ? BucketOf(details[index].Text!) : BucketOf(uuid);
    }

    private int BucketOf(string text) => StringComparer.Ordinal.GetHashCode(text) & (buckets.Length - 1);

    private int BucketOf(Guid uuid) => (usesSeededHash ? UuidHash.ComputeSeeded(uuid) : UuidHash.Compute(uuid)) & (buckets.Length - 1);

    private void Rehash(int length)
    {
        buckets = NewBuckets(length);
        for (var index = 0; index < entries.UsedCount; index++)
        {
            if (entries[index].FencingToken > 0)
            {
                AddTo(ref buckets[BucketOf(index)], index);
            }
        }
    }
}
