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

    private Counters counts;
    private AdaptiveSpin readerSpin;
    private volatile bool hasBlockedWriters;
    private volatile bool mustCheckReleased;

    /// <summary>The lock of the readers.</summary>
    public Lock ReadGate { get; } = new();

    /// <summary>The fetched events. Used under <see cref="ReadGate"/>.</summary>
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
    /// True if an event was released or the queue has stopped: the reader must first check under the publishers' lock.
    /// Written under that lock.
    /// </summary>
    public bool MustCheckReleased
    {
        get => mustCheckReleased;
        set => mustCheckReleased = value;
    }

    /// <summary>
    /// Counters with cache lines of their own. The first four are written under the lock of the readers.
    /// </summary>
    [StructLayout(LayoutKind.Explicit, Size = 2 * Apart + 64)]
    internal struct Counters
    {
        /// <summary>The index of the next fetched event.</summary>
        [FieldOffset(Apart)]
        public int Next;

        /// <summary>The number of fetched events.</summary>
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
