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
    public const int CacheLineDistance = 128;

    private const int BatchSize = 64;

    private Counters counts;
    private AdaptiveSpin readerSpin;
    private volatile bool hasBlockedWriters;
    private volatile bool mustCheckReleased;

    /// <summary>The lock of the readers.</summary>
    public Lock ReadGate { get; } = new();

    /// <summary>The events that were last fetched from the ring buffer. Used under <see cref="ReadGate"/>.</summary>
    public Envelope?[] Batch { get; } = new Envelope?[BatchSize];

    /// <summary>The counters that change with every event.</summary>
    public ref Counters Counts => ref counts;

    /// <summary>The spin before a reader waits.</summary>
    public ref AdaptiveSpin ReaderSpin => ref readerSpin;

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
    /// True if an event was released or the queue has stopped, so that a reader must check that under the publishers'
    /// lock before it takes the next event of the batch. Written under that lock.
    /// </summary>
    public bool MustCheckReleased
    {
        get => mustCheckReleased;
        set => mustCheckReleased = value;
    }

    /// <summary>
    /// Counters with cache lines of their own. The first four are written under the lock of the readers.
    /// </summary>
    [StructLayout(LayoutKind.Explicit, Size = 2 * CacheLineDistance + 64)]
    internal struct Counters
    {
        /// <summary>The index in <see cref="Batch"/> of the next event to deliver.</summary>
        [FieldOffset(CacheLineDistance)]
        public int NextInBatch;

        /// <summary>The number of events in <see cref="Batch"/>, including the delivered ones.</summary>
        [FieldOffset(CacheLineDistance + 4)]
        public int BatchCount;

        /// <summary>
        /// The token of the next delivery. Tokens increase, so that released events keep their original order.
        /// </summary>
        [FieldOffset(CacheLineDistance + 8)]
        public long NextToken;

        /// <summary>The number of accepted events that were delivered for the first time.</summary>
        [FieldOffset(CacheLineDistance + 16)]
        public long Delivered;

        /// <summary>The number of acknowledged deliveries.</summary>
        [FieldOffset(CacheLineDistance + 24)]
        public long Settled;
    }
}
