using System.Buffers.Binary;
using System.Runtime.InteropServices;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>What one subscription has handled, or is handling: a hash table that grows by the piece, so that an event costs little more than its place in it. Not thread-safe.</summary>
/// <remarks>
/// Chained, like the framework's dictionary. That one copies itself whenever it grows, and an entry with a tree node for its end takes five times as much. A place holds no
/// reference, so that the garbage collector has nothing to look at, and a piece is large enough that it is never moved.
/// </remarks>
internal sealed class ProcessedTable
{
    private const int PieceBits = 11;
    private const int PieceSize = 1 << PieceBits;
    private const int None = -1;
    private const int MostSteps = 1_000;

    private readonly List<ProcessedPlace[]> pieces = [];

    // By the place.
    private readonly Dictionary<int, ProcessedRest> rests = [];
    private int[] buckets = NewBuckets(64);
    private int used;
    private int free = None;

    // The places of what may be forgotten, by the end of its time. That is nearly always the order in which it was done: the retention of a subscription is one.
    private int oldest = None;
    private int newest = None;

    public int Count { get; private set; }

    /// <summary>What may be forgotten first; no place when there is nothing.</summary>
    public int Oldest => oldest;

    public ref ProcessedPlace this[int place] => ref pieces[place >> PieceBits][place & (PieceSize - 1)];

    /// <summary>The place of a key; negative for none.</summary>
    public int Find(in ProcessedKey key)
    {
        for (var place = buckets[BucketOf(key)]; place != None; place = this[place].Next)
        {
            if (this[place].Uuid == key.Uuid && (key.Uuid != Guid.Empty || string.Equals(rests[place].Text, key.Key, StringComparison.Ordinal)))
            {
                return place;
            }
        }

        return None;
    }

    /// <summary>Adds a key that is not there.</summary>
    /// <returns>Its place.</returns>
    public int Add(in ProcessedKey key)
    {
        if (Count == buckets.Length)
        {
            Rehash();
        }

        var place = free;
        if (place != None)
        {
            free = this[place].Next;
        }
        else
        {
            place = used++;
            if (place >> PieceBits == pieces.Count)
            {
                pieces.Add(GC.AllocateUninitializedArray<ProcessedPlace>(PieceSize));
            }
        }

        ref var bucket = ref buckets[BucketOf(key)];
        this[place] = new ProcessedPlace { Uuid = key.Uuid, Next = bucket };
        if (key.Uuid == Guid.Empty)
        {
            rests[place] = new ProcessedRest(key.Key, 0, []);
        }

        bucket = place;
        Count++;
        return place;
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
        free = place;
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
        ref var done = ref this[place];
        var before = newest;
        for (var steps = 0; before != None && this[before].Until > done.Until; steps++)
        {
            if (steps == MostSteps)
            {
                // The clock was set back. Rather than to search, it is kept for longer.
                done.Until = this[before].Until;
                break;
            }

            before = this[before].PreviousDone;
        }

        var after = before == None ? oldest : this[before].NextDone;
        (done.PreviousDone, done.NextDone) = (before, after);
        if (before == None)
        {
            oldest = place;
        }
        else
        {
            this[before].NextDone = place;
        }

        if (after == None)
        {
            newest = place;
        }
        else
        {
            this[after].PreviousDone = place;
        }
    }

    /// <summary>Removes what may be forgotten first.</summary>
    public void ForgetOldest()
    {
        var place = oldest;
        oldest = this[place].NextDone;
        if (oldest == None)
        {
            newest = None;
        }
        else
        {
            this[oldest].PreviousDone = None;
        }

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

    private static int[] NewBuckets(int count)
    {
        var made = new int[count];
        Array.Fill(made, None);
        return made;
    }

    private int BucketOf(in ProcessedKey key) => key.Uuid == Guid.Empty ? BucketOf(key.Key) : BucketOf(key.Uuid);

    private int BucketOf(int place) => this[place].Uuid is var uuid && uuid == Guid.Empty ? BucketOf(rests[place].Text!) : BucketOf(uuid);

    private int BucketOf(string text) => StringComparer.Ordinal.GetHashCode(text) & (buckets.Length - 1);

    /// <summary>Ids that follow each other have neighbouring buckets, in memory that is at hand. The bus counts in the last bytes; where others differ, all bytes have a say.</summary>
    private int BucketOf(Guid uuid)
    {
        Span<ulong> halves = stackalloc ulong[2];
        MemoryMarshal.Write(MemoryMarshal.AsBytes(halves), uuid);
        var last = BinaryPrimitives.ReverseEndianness(halves[1]);
        return (int)(last + (((last >> 32) ^ halves[0]) * 0x9E37_79B9_7F4A_7C15 >> 32)) & (buckets.Length - 1);
    }

    private void Rehash()
    {
        buckets = NewBuckets(buckets.Length * 2);
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

/// <summary>One key in a <see cref="ProcessedTable"/>.</summary>
internal struct ProcessedPlace
{
    /// <summary>The key; empty where it is a text, which is kept beside.</summary>
    public Guid Uuid;

    /// <summary>The number of the claim; 0 for a place that is not used.</summary>
    public long Fence;

    /// <summary>Until when it is leased; once done, until when it is kept. In ticks of UTC.</summary>
    public long Until;

    /// <summary>The next of its bucket, or of the free places.</summary>
    public int Next;

    /// <summary>What may be forgotten next.</summary>
    public int NextDone;

    /// <summary>What may be forgotten before it.</summary>
    public int PreviousDone;

    /// <summary>It was handled.</summary>
    public bool IsDone;
}

/// <summary>What is kept of an event whose key is no UUID, whose bytes are known, or whose handler published something.</summary>
/// <param name="Text">The key, where it is no UUID.</param>
/// <param name="Fingerprint">That of its content; 0 for unknown.</param>
/// <param name="Outbox">The events that its handler published, and that may not have been sent yet.</param>
internal sealed record ProcessedRest(string? Text, long Fingerprint, IReadOnlyList<Envelope> Outbox);
