using System.Buffers.Binary;
using System.Runtime.InteropServices;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Holds the keys that one subscription has handled or is handling, in a hash table that grows in segments of a fixed
/// size. A key costs little more memory than its entry. Not thread-safe.
/// </summary>
/// <remarks>
/// The table uses chaining, like <see cref="Dictionary{TKey, TValue}"/>: a bucket is a linked list of entries. Entries
/// are addressed by their index. A dictionary copies itself each time it grows, and with a sorted set for the expiry it
/// takes five times as much memory. The garbage collector does not scan the segments, because an entry contains no
/// references; and it does not move a segment of the full size, which is on the large object heap. The expiry is in a
/// file of its own.
/// </remarks>
internal sealed partial class ProcessedTable
{
    /// <summary>The index that stands for no entry.</summary>
    public const int None = -1;

    /// <summary>The value of <see cref="ProcessedEntry.NextToExpire"/> for an event that is not done.</summary>
    public const int NotDone = -2;

    private const int SegmentBits = 12;
    private const int SegmentSize = 1 << SegmentBits;

    // The initial size of the first segment. It grows up to the full size, because most subscriptions handle few
    // events.
    private const int FirstSize = 64;

    // A longer chain does not occur by chance, so it is taken for an attack.
    private const int LongestChain = 100;

    private readonly List<ProcessedEntry[]> segments = [];

    // The details of the entries that have any, by the index of the entry.
    private readonly Dictionary<int, ProcessedDetails> detailsByIndex = [];

    // The index of the first entry of each bucket.
    private int[] buckets = NewBuckets(64);

    // The number of entries that were ever used, and the first of the linked list of those that are unused again.
    private int usedCount;
    private int firstFree = None;

    // The key that was added last, which is usually the next one to be looked up.
    private int lastAdded = None;

    // True once an attack was found: the buckets of UUIDs are then chosen by a hash with a random seed.
    private bool usesSeededHash;

    public int Count { get; private set; }

    /// <summary>
    /// The number of keys from which an addition needs a check: first to log the shortage of room, and after that to
    /// refuse the key when there is no room. Set by the store.
    /// </summary>
    public int CheckFrom { get; set; }

    /// <summary>The number of entries in the fullest bucket.</summary>
    public int MostInBucket => buckets.Max(ChainLength);

    public ref ProcessedEntry this[int index] => ref segments[index >> SegmentBits][index & (SegmentSize - 1)];

    /// <summary>Finds the index of a key; negative for none.</summary>
    public int Find(in ProcessedKey key)
    {
        if (lastAdded != None && key.Uuid != Guid.Empty && this[lastAdded].Uuid == key.Uuid)
        {
            return lastAdded;
        }

        return FindIn(buckets[BucketOf(key)], key, out _);
    }

    /// <summary>Finds the index of a key that has this fencing token; negative for none.</summary>
    public int Find(in ProcessedKey key, long fencingToken)
    {
        var index = Find(key);
        return index >= 0 && this[index].FencingToken == fencingToken ? index : None;
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
        index = FindIn(buckets[BucketOf(key)], key, out var steps);
        if (index != None)
        {
            return false;
        }

        if (Count == buckets.Length)
        {
            Rehash(buckets.Length * 2);
        }
        else if (steps > LongestChain && !usesSeededHash)
        {
            usesSeededHash = true;
            Rehash(buckets.Length);
        }

        ref var bucket = ref buckets[BucketOf(key)];
        index = TakeFree();
        this[index] = new ProcessedEntry { Uuid = key.Uuid, Next = bucket, NextToExpire = NotDone };
        if (key.Uuid == Guid.Empty)
        {
            detailsByIndex[index] = new ProcessedDetails(key.Key, 0, []);
        }

        bucket = index;
        lastAdded = index;
        Count++;
        return true;
    }

    /// <summary>Removes a key that is not in the list or the queue of the entries that may expire.</summary>
    public void Remove(int index)
    {
        ref var removed = ref this[index];

        // The reference to the entry in the chain of its bucket is set to the next entry of the chain.
        ref var link = ref buckets[BucketOf(index)];
        while (link != index)
        {
            link = ref this[link].Next;
        }

        link = removed.Next;
        detailsByIndex.Remove(index);
        removed = new ProcessedEntry { Next = firstFree };
        firstFree = index;
        lastAdded = None;
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
        for (var index = 0; index < usedCount; index++)
        {
            if (this[index] is { FencingToken: > 0, IsDone: false })
            {
                yield return index;
            }
        }
    }

    /// <summary>Finds the index of a key in a bucket; <see cref="None"/> for none.</summary>
    /// <param name="first">The index of the first entry of the bucket.</param>
    /// <param name="key">The key.</param>
    /// <param name="steps">The number of entries that were compared.</param>
    private int FindIn(int first, in ProcessedKey key, out int steps)
    {
        steps = 0;
        for (var index = first; index != None; index = this[index].Next)
        {
            steps++;
            if (this[index].Uuid == key.Uuid
                && (key.Uuid != Guid.Empty || string.Equals(detailsByIndex[index].Text, key.Key, StringComparison.Ordinal)))
            {
                return index;
            }
        }

        return None;
    }

    private int ChainLength(int first)
    {
        var length = 0;
        for (var index = first; index != None; index = this[index].Next)
        {
            length++;
        }

        return length;
    }

    /// <summary>
    /// Returns the index of an unused entry. Adds a segment, or enlarges the first one, if there is none.
    /// </summary>
    private int TakeFree()
    {
        if (firstFree != None)
        {
            var freed = firstFree;
            firstFree = this[freed].Next;
            return freed;
        }

        if (usedCount >> SegmentBits == segments.Count)
        {
            segments.Add(GC.AllocateUninitializedArray<ProcessedEntry>(usedCount == 0 ? FirstSize : SegmentSize));
        }
        else if (usedCount == segments[0].Length && usedCount < SegmentSize)
        {
            var first = segments[0];
            Array.Resize(ref first, first.Length * 2);
            segments[0] = first;
        }

        var added = usedCount;
        usedCount++;
        return added;
    }

    private static int[] NewBuckets(int count)
    {
        var created = new int[count];
        Array.Fill(created, None);
        return created;
    }

    private int BucketOf(in ProcessedKey key) => key.Uuid == Guid.Empty ? BucketOf(key.Key) : BucketOf(key.Uuid);

    private int BucketOf(int index)
    {
        var uuid = this[index].Uuid;
        return uuid == Guid.Empty ? BucketOf(detailsByIndex[index].Text!) : BucketOf(uuid);
    }

    private int BucketOf(string text) => StringComparer.Ordinal.GetHashCode(text) & (buckets.Length - 1);

    /// <summary>
    /// Computes the bucket of a UUID. Consecutive ids of the bus, which increments their last bytes, get adjacent
    /// buckets, which are likely to be in the processor's cache. For ids of other sources, all bytes contribute. A
    /// publisher could craft ids that all get the same bucket, so after a long chain a hash with a random seed is used.
    /// </summary>
    private int BucketOf(Guid uuid)
    {
        if (usesSeededHash)
        {
            // Does not use Guid.GetHashCode, whose result is the same in every process, so that a publisher could
            // predict it.
            var parts = MemoryMarshal.Cast<Guid, int>(MemoryMarshal.CreateReadOnlySpan(in uuid, 1));
            return HashCode.Combine(parts[0], parts[1], parts[2], parts[3]) & (buckets.Length - 1);
        }

        Span<ulong> halves = stackalloc ulong[2];
        MemoryMarshal.Write(MemoryMarshal.AsBytes(halves), uuid);
        var last = BinaryPrimitives.ReverseEndianness(halves[1]);
        return (int)(last + (((last >> 32) ^ halves[0]) * 0x9E37_79B9_7F4A_7C15 >> 32)) & (buckets.Length - 1);
    }

    private void Rehash(int length)
    {
        buckets = NewBuckets(length);
        for (var index = 0; index < usedCount; index++)
        {
            ref var entry = ref this[index];
            if (entry.FencingToken > 0)
            {
                ref var bucket = ref buckets[BucketOf(index)];
                entry.Next = bucket;
                bucket = index;
            }
        }
    }
}
