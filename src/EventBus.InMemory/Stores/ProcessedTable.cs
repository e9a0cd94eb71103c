using System.Buffers.Binary;
using System.Runtime.InteropServices;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Holds the keys that one subscription has handled or is handling, in a hash table that grows in fixed-size pieces. An
/// event costs little more memory than its place. Not thread-safe.
/// </summary>
/// <remarks>
/// The table uses chaining, like <see cref="Dictionary{TKey, TValue}"/>. A dictionary copies itself each time it grows,
/// and an entry with a tree node for its expiry takes five times as much memory. A place contains no references, so the
/// garbage collector does not scan the pieces. A full piece is on the large object heap and is not moved.
/// </remarks>
internal sealed class ProcessedTable
{
    /// <summary>The value that stands for no place.</summary>
    public const int None = -1;

    /// <summary>The value of <see cref="ProcessedPlace.NextDone"/> for an event that is not done.</summary>
    public const int NotDone = -2;

    private const int PieceBits = 12;
    private const int PieceSize = 1 << PieceBits;

    // The initial size of the first piece. It grows up to the full size, because most subscriptions handle few events.
    private const int FirstSize = 64;

    // From this length on, a chain is taken for an attack: it does not occur by chance.
    private const int LongestChain = 100;

    private readonly List<ProcessedPlace[]> pieces = [];

    // The additional data, by place.
    private readonly Dictionary<int, ProcessedRest> rests = [];
    private int[] buckets = NewBuckets(64);
    private int used;
    private int free = None;

    // The places that may expire, as a linked list ordered by expiry: a subscription has one retention, so most places
    // are appended. A place that expires earlier than its predecessor (concurrent handlers, a late dispatch, a clock
    // that was set back) goes into the priority queue.
    private readonly PriorityQueue<int, long> early = new();
    private int oldest = None;
    private int newest = None;

    // The key that was added last, which is usually the next one to be looked up.
    private int latest = None;
    private bool isSpread;

    public int Count { get; private set; }

    /// <summary>
    /// The number of keys from which an addition takes the slow path: first to log the shortage, then to refuse the key
    /// for lack of room.
    /// </summary>
    public int Limit { get; set; }

    /// <summary>The length of the longest chain.</summary>
    public int MostInBucket => buckets.Max(ChainLength);

    /// <summary>The place that expires first; <see cref="None"/> if there is none.</summary>
    public int Oldest => IsEarlyFirst ? early.Peek() : oldest;

    private bool IsEarlyFirst => early.TryPeek(out _, out var until) && (oldest == None || until < this[oldest].Until);

    public ref ProcessedPlace this[int place] => ref pieces[place >> PieceBits][place & (PieceSize - 1)];

    /// <summary>Finds the place of a key; negative for none.</summary>
    public int Find(in ProcessedKey key) =>
        latest != None && this[latest].Uuid == key.Uuid && key.Uuid != Guid.Empty ? latest : FindIn(buckets[BucketOf(key)], key, out _);

    /// <summary>
    /// Adds a key unless it exists. Set the <see cref="ProcessedPlace.FencingToken"/> of its place before the next
    /// addition: a place without one counts as unused.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="place">Its place.</param>
    /// <returns>True if it was added.</returns>
    public bool TryAdd(in ProcessedKey key, out int place)
    {
        place = FindIn(buckets[BucketOf(key)], key, out var steps);
        if (place != None)
        {
            return false;
        }

        if (Count == buckets.Length)
        {
            Rehash(buckets.Length * 2);
        }
        else if (steps > LongestChain && !isSpread)
        {
            isSpread = true;
            Rehash(buckets.Length);
        }

        ref var bucket = ref buckets[BucketOf(key)];
        place = TakePlace();
        this[place] = new ProcessedPlace { Uuid = key.Uuid, Next = bucket, NextDone = NotDone };
        if (key.Uuid == Guid.Empty)
        {
            rests[place] = new ProcessedRest(key.Key, 0, []);
        }

        (bucket, latest) = (place, place);
        Count++;
        return true;
    }

    /// <summary>Removes a key that is not in the list or the queue of expiring places.</summary>
    public void Remove(int place)
    {
        ref var gone = ref this[place];
        ref var link = ref buckets[BucketOf(place)];
        while (link != place)
        {
            link = ref this[link].Next;
        }

        link = gone.Next;
        rests.Remove(place);
        gone = new ProcessedPlace { Next = free };
        (free, latest) = (place, None);
        Count--;
    }

    /// <summary>Gets the additional data of a key.</summary>
    public ProcessedRest? RestOf(int place) => rests.GetValueOrDefault(place);

    /// <summary>Sets the additional data of a key.</summary>
    public void SetRest(int place, long fingerprint, IReadOnlyList<Envelope> outbox)
    {
        var text = RestOf(place)?.Text;
        if (text is null && fingerprint == 0 && outbox.Count == 0)
        {
            rests.Remove(place);
        }
        else
        {
            rests[place] = new ProcessedRest(text, fingerprint, outbox);
        }
    }

    /// <summary>Adds a place that is done to the list or the queue of expiring places.</summary>
    public void ForgetLater(int place)
    {
        var until = this[place].Until;
        if (newest == None)
        {
            oldest = place;
        }
        else if (until < this[newest].Until)
        {
            early.Enqueue(place, until);
            return;
        }
        else
        {
            this[newest].NextDone = place;
        }

        newest = place;
    }

    /// <summary>Removes the place that expires first.</summary>
    public void ForgetOldest()
    {
        if (IsEarlyFirst)
        {
            Remove(early.Dequeue());
            return;
        }

        var place = oldest;
        (oldest, newest) = place == newest ? (None, None) : (this[place].NextDone, newest);
        Remove(place);
    }

    /// <summary>Returns the places that are claimed and not done.</summary>
    public IEnumerable<int> Claimed()
    {
        for (var place = 0; place < used; place++)
        {
            if (this[place] is { FencingToken: > 0, IsDone: false })
            {
                yield return place;
            }
        }
    }

    private int FindIn(int bucket, in ProcessedKey key, out int steps)
    {
        steps = 0;
        for (var place = bucket; place != None; place = this[place].Next)
        {
            steps++;
            if (this[place].Uuid == key.Uuid
                && (key.Uuid != Guid.Empty || string.Equals(rests[place].Text, key.Key, StringComparison.Ordinal)))
            {
                return place;
            }
        }

        return None;
    }

    private int ChainLength(int bucket)
    {
        var length = 0;
        for (var place = bucket; place != None; place = this[place].Next)
        {
            length++;
        }

        return length;
    }

    private int TakePlace()
    {
        if (free is not None and var place)
        {
            free = this[place].Next;
            return place;
        }

        if (used >> PieceBits == pieces.Count)
        {
            pieces.Add(GC.AllocateUninitializedArray<ProcessedPlace>(used == 0 ? FirstSize : PieceSize));
        }
        else if (used == pieces[0].Length && used < PieceSize)
        {
            var first = pieces[0];
            Array.Resize(ref first, first.Length * 2);
            pieces[0] = first;
        }

        var added = used;
        used++;
        return added;
    }

    private static int[] NewBuckets(int count)
    {
        var made = new int[count];
        Array.Fill(made, None);
        return made;
    }

    private int BucketOf(in ProcessedKey key) => key.Uuid == Guid.Empty ? BucketOf(key.Key) : BucketOf(key.Uuid);

    private int BucketOf(int place)
    {
        var uuid = this[place].Uuid;
        return uuid == Guid.Empty ? BucketOf(rests[place].Text!) : BucketOf(uuid);
    }

    private int BucketOf(string text) => StringComparer.Ordinal.GetHashCode(text) & (buckets.Length - 1);

    /// <summary>
    /// Computes the bucket of a UUID. Consecutive ids get adjacent buckets, which are likely to be in the cache. The
    /// bus increments the last bytes of its ids; for ids of other sources, all bytes contribute. Any publisher can
    /// craft ids that collide in one bucket. Such ids are soon spread by a hash with a random seed per process.
    /// </summary>
    private int BucketOf(Guid uuid)
    {
        if (isSpread)
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
        for (var place = 0; place < used; place++)
        {
            ref var there = ref this[place];
            if (there.FencingToken > 0)
            {
                ref var bucket = ref buckets[BucketOf(place)];
                there.Next = bucket;
                bucket = place;
            }
        }
    }
}
