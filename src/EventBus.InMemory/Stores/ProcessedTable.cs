using System.Buffers.Binary;
using System.Runtime.InteropServices;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>What one subscription has handled, or is handling: a hash table that grows by the piece, so that an event costs little more than its place in it. Not thread-safe.</summary>
/// <remarks>
/// Chained, like the framework's dictionary. That one copies itself whenever it grows, and an entry with a tree node for its end takes five times as much. A place holds no
/// reference, so that the garbage collector has nothing to look at, and a piece is so large that it is never moved.
/// </remarks>
internal sealed class ProcessedTable
{
    /// <summary>No place.</summary>
    public const int None = -1;

    /// <summary>In the place of what may be forgotten next: it is not done yet.</summary>
    public const int NotDone = -2;

    private const int PieceBits = 12;
    private const int PieceSize = 1 << PieceBits;

    // The first piece grows until it is whole: most subscriptions of most programs have handled little.
    private const int FirstSize = 64;

    // Far beyond chance.
    private const int LongestChain = 100;

    private readonly List<ProcessedPlace[]> pieces = [];

    // By the place.
    private readonly Dictionary<int, ProcessedRest> rests = [];
    private int[] buckets = NewBuckets(64);
    private int used;
    private int free = None;

    // The places of what may be forgotten, by the end of its time: in a line, since the retention of a subscription is one. What ends earlier than the one before it (handlers side by side, a late dispatch, a clock that was set back) is kept beside.
    private readonly PriorityQueue<int, long> early = new();
    private int oldest = None;
    private int newest = None;

    // The key that came last: it is nearly always the next that is asked for.
    private int latest = None;
    private bool isSpread;

    public int Count { get; private set; }

    /// <summary>From how many keys on another one is no matter of course: at first because of the warning that is due then, afterwards because there is no room.</summary>
    public int Limit { get; set; }

    /// <summary>The most keys that stand in one bucket.</summary>
    public int MostInBucket => buckets.Max(ChainLength);

    /// <summary>What may be forgotten first; no place when there is nothing.</summary>
    public int Oldest => IsEarlyFirst ? early.Peek() : oldest;

    private bool IsEarlyFirst => early.TryPeek(out _, out var until) && (oldest == None || until < this[oldest].Until);

    public ref ProcessedPlace this[int place] => ref pieces[place >> PieceBits][place & (PieceSize - 1)];

    /// <summary>The place of a key; negative for none.</summary>
    public int Find(in ProcessedKey key) =>
        latest != None && this[latest].Uuid == key.Uuid && key.Uuid != Guid.Empty ? latest : FindIn(buckets[BucketOf(key)], key, out _);

    /// <summary>Adds a key, unless it is there. Give its place a <see cref="ProcessedPlace.Fence"/> before anything else is added: without one it is not used.</summary>
    /// <param name="key">The key.</param>
    /// <param name="place">Its place.</param>
    /// <returns>Whether it was added.</returns>
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

    /// <summary>Removes a key that is in no line.</summary>
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

    /// <summary>What is kept beside a key.</summary>
    public ProcessedRest? RestOf(int place) => rests.GetValueOrDefault(place);

    /// <summary>Keeps something beside a key.</summary>
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

    /// <summary>Puts what is done, and may be forgotten once its time is over, in the line.</summary>
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

    /// <summary>Removes what may be forgotten first.</summary>
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

    /// <summary>The places of what is claimed and not done.</summary>
    public IEnumerable<int> Claimed()
    {
        for (var place = 0; place < used; place++)
        {
            if (this[place] is { Fence: > 0, IsDone: false })
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
            if (this[place].Uuid == key.Uuid && (key.Uuid != Guid.Empty || string.Equals(rests[place].Text, key.Key, StringComparison.Ordinal)))
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

        return used++;
    }

    private static int[] NewBuckets(int count)
    {
        var made = new int[count];
        Array.Fill(made, None);
        return made;
    }

    private int BucketOf(in ProcessedKey key) => key.Uuid == Guid.Empty ? BucketOf(key.Key) : BucketOf(key.Uuid);

    private int BucketOf(int place) => this[place].Uuid is var uuid && uuid == Guid.Empty ? BucketOf(rests[place].Text!) : BucketOf(uuid);

    private int BucketOf(string text) => StringComparer.Ordinal.GetHashCode(text) & (buckets.Length - 1);

    /// <summary>
    /// Ids that follow each other have neighbouring buckets, in memory that is at hand. The bus counts in the last bytes; where others differ, all bytes have a say.
    /// Ids that are made to meet in one bucket, which anybody can who publishes, are soon spread by a hash that is another in every process.
    /// </summary>
    private int BucketOf(Guid uuid)
    {
        if (isSpread)
        {
            // Not that of the Guid itself, which is the same everywhere.
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
            if (there.Fence > 0)
            {
                ref var bucket = ref buckets[BucketOf(place)];
                there.Next = bucket;
                bucket = place;
            }
        }
    }
}
