using EventBus.Transports;

namespace EventBus;

/// <summary>What the readers of a <see cref="DeliveryQueue"/> write: apart from what its publishers write, so that neither side keeps taking the processor's cache lines from the other.</summary>
internal sealed class DeliveryOutlet
{
    private const int BatchSize = 64;

    // Made right after this object, and so next to it in memory: nothing of the publishers' shares its last cache line.
    private readonly Envelope?[] batch = new Envelope?[BatchSize];
    private int next;
    private int filled;
    private long nextToken;
    private long handedOut;
    private long settled;
    private volatile bool hasWaiters;
    private volatile bool isDisturbed;

    /// <summary>Held by whoever takes.</summary>
    public Lock Taking { get; } = new();

    /// <summary>How many of the events that were accepted have been handed out for the first time.</summary>
    public long HandedOut => Volatile.Read(ref handedOut);

    /// <summary>How many deliveries were acknowledged.</summary>
    public long Settled => Interlocked.Read(ref settled);

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
    public bool IsEmpty => next == filled;

    public void Settle() => Interlocked.Increment(ref settled);

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

        (next, filled) = (0, count);
        return count;
    }

    /// <summary>Under <see cref="Taking"/>, when not empty: the next event, and its token.</summary>
    public (Envelope Envelope, long Token) Take()
    {
        var envelope = batch[next]!;
        batch[next++] = null;
        Volatile.Write(ref handedOut, handedOut + 1);
        return (envelope, nextToken++);
    }
}
