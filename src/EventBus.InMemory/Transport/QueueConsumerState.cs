using System.Runtime.InteropServices;
using EventBus.Transports;

namespace EventBus;

/// <summary>What the readers of a <see cref="DeliveryQueue"/> write: apart from what its publishers write, so that neither side keeps taking the processor's cache lines from the other.</summary>
internal sealed class QueueConsumerState
{
    /// <summary>The bytes between what different processors write: a cache line, and the one beside it, which some fetch too.</summary>
    public const int Apart = 128;

    private const int BatchSize = 64;

    private readonly Envelope?[] batch = new Envelope?[BatchSize];
    private Counts counts;
    private AdaptiveSpin forEvents;
    private volatile bool hasWaiters;
    private volatile bool isDisturbed;

    /// <summary>Held by whoever takes.</summary>
    public Lock Taking { get; } = new();

    /// <summary>How many of the events that were accepted have been handed out for the first time.</summary>
    public long HandedOut => Volatile.Read(ref counts.HandedOut);

    /// <summary>How many deliveries were acknowledged.</summary>
    public long Settled => Interlocked.Read(ref counts.Settled);

    /// <summary>A publisher waits for room. Written under the publishers' lock.</summary>
    public bool HasWaiters
    {
        get => hasWaiters;
        set => hasWaiters = value;
    }

    /// <summary>Something was released, or the queue has stopped: the reader is to look under the publishers' lock first, where this is written.</summary>
    public bool IsDisturbed
    {
        get => isDisturbed;
        set => isDisturbed = value;
    }

    /// <summary>Under <see cref="Taking"/>: everything that was fetched is handed out.</summary>
    public bool IsEmpty => counts.Next == counts.Filled;

    /// <summary>Before a reader waits.</summary>
    public ref AdaptiveSpin ForEvents => ref forEvents;

    public void Settle() => Interlocked.Increment(ref counts.Settled);

    /// <summary>Under both locks, when empty: takes over what is at the head of a ring, by the batch.</summary>
    /// <returns>How many events.</returns>
    public int Fetch(Envelope[] ring, long from, long until)
    {
        var count = (int)Math.Min(until - from, BatchSize);
        for (var i = 0; i < count; i++)
        {
            ref var place = ref ring[(from + i) & (ring.Length - 1)];
            batch[i] = place;
            place = null!;
        }

        (counts.Next, counts.Filled) = (0, count);
        return count;
    }

    /// <summary>Under <see cref="Taking"/>, when not empty: the next event, and its token.</summary>
    public (Envelope Envelope, long Token) Take()
    {
        var envelope = batch[counts.Next]!;
        batch[counts.Next++] = null;
        Volatile.Write(ref counts.HandedOut, counts.HandedOut + 1);
        return (envelope, counts.NextToken++);
    }

    /// <summary>What is written for every event.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 2 * Apart + 64)]
    private struct Counts
    {
        [FieldOffset(Apart)]
        public int Next;

        [FieldOffset(Apart + 4)]
        public int Filled;

        [FieldOffset(Apart + 8)]
        public long NextToken;

        [FieldOffset(Apart + 16)]
        public long HandedOut;

        [FieldOffset(Apart + 24)]
        public long Settled;
    }
}
