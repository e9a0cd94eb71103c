using System.Runtime.InteropServices;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Holds the fields that the readers of a <see cref="DeliveryQueue"/> write. They are separate from the fields that its
/// publishers write, to avoid false sharing of cache lines.
/// </summary>
internal sealed class QueueConsumerState
{
    /// <summary>
    /// The distance in bytes between fields that different processors write: a cache line and the adjacent line, which
    /// some processors fetch too.
    /// </summary>
    public const int Apart = 128;

    private const int BatchSize = 64;

    private readonly Envelope?[] batch = new Envelope?[BatchSize];
    private Counts counts;
    private AdaptiveSpin readerSpin;
    private volatile bool hasBlockedWriters;
    private volatile bool mustCheckReleased;

    /// <summary>The lock of the readers.</summary>
    public Lock ReadGate { get; } = new();

    /// <summary>The number of accepted events that were delivered for the first time.</summary>
    public long Delivered => Volatile.Read(ref counts.Delivered);

    /// <summary>The number of acknowledged deliveries.</summary>
    public long Settled => Interlocked.Read(ref counts.Settled);

    /// <summary>True if a publisher waits for room. Written under the publishers' lock.</summary>
    public bool HasBlockedWriters
    {
        get => hasBlockedWriters;
        set => hasBlockedWriters = value;
    }

    /// <summary>
    /// True if an event was released or the queue has stopped: the reader must first check under the publishers' lock.
    /// Written under that lock.
    /// </summary>
    public bool MustCheckReleased
    {
        get => mustCheckReleased;
        set => mustCheckReleased = value;
    }

    /// <summary>True if all fetched events are delivered. Call it under <see cref="ReadGate"/>.</summary>
    public bool IsEmpty => counts.Next == counts.Filled;

    /// <summary>The spin before a reader waits.</summary>
    public ref AdaptiveSpin ReaderSpin => ref readerSpin;

    public void Settle() => Interlocked.Increment(ref counts.Settled);

    /// <summary>
    /// Moves a batch from the head of a ring into this object. Call it under both locks and only when empty.
    /// </summary>
    /// <returns>The number of events.</returns>
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

    /// <summary>
    /// Takes the next event and its token. Call it under <see cref="ReadGate"/> and only when not empty.
    /// </summary>
    public (Envelope Envelope, long Token) Take()
    {
        var envelope = batch[counts.Next]!;
        batch[counts.Next++] = null;
        Volatile.Write(ref counts.Delivered, counts.Delivered + 1);
        return (envelope, counts.NextToken++);
    }

    /// <summary>The counters that change with every event.</summary>
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
        public long Delivered;

        [FieldOffset(Apart + 24)]
        public long Settled;
    }
}
