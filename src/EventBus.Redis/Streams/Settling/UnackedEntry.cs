using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Represents an entry that this instance owns until it is acknowledged, released or lost.</summary>
/// <param name="settler">Settles the entry.</param>
/// <param name="stream">The stream.</param>
/// <param name="id">The id in the stream.</param>
/// <param name="envelope">The event.</param>
/// <param name="earlierDeliveries">The number of earlier deliveries that may have been attempts.</param>
internal sealed class UnackedEntry(EntrySettler settler, RedisKey stream, RedisValue id, Envelope envelope, int earlierDeliveries)
    : IDeliverySettler, IDisposable
{
    private readonly CancellationTokenSource lost = new();
    private int settled;

    public RedisKey Stream => stream;

    public RedisValue Id => id;

    /// <summary>The position in the stream.</summary>
    public RedisStreamId Position { get; } = RedisStreamId.Parse(id);

    public Envelope Envelope => envelope;

    public int EarlierDeliveries => earlierDeliveries;

    /// <summary>False if the bus has certainly not received this delivery.</summary>
    public bool MayHaveStarted { get; set; } = true;

    /// <summary>The number of deliveries that the bus may have received, including this one.</summary>
    public long Deliveries => MayHaveStarted ? earlierDeliveries + 1 : earlierDeliveries;

    /// <summary>The time (a timestamp of the clock) at which this instance was last known to own the entry.</summary>
    public required long RenewedAt { get; set; }

    /// <summary>Creates the next delivery of a released entry.</summary>
    public UnackedEntry NextDelivery() => new(settler, stream, id, envelope, earlierDeliveries + 1) { RenewedAt = RenewedAt };

    public Delivery ToDelivery() => new(envelope, this, earlierDeliveries: earlierDeliveries, lost: lost.Token);

    public ValueTask AckAsync(in Delivery delivery)
    {
        settler.Acknowledge(this);
        return ValueTask.CompletedTask;
    }

    public ValueTask ReleaseAsync(in Delivery delivery) => TrySettle() ? settler.ReleaseAsync(this) : ValueTask.CompletedTask;

    /// <summary>Claims the right to settle the entry; false if it is settled already.</summary>
    public bool TrySettle() => Interlocked.Exchange(ref settled, 1) == 0;

    /// <summary>Ends the ownership. The delivery can no longer be settled.</summary>
    /// <returns>True if it was not settled before.</returns>
    public bool EndOwnership()
    {
        var wasUnsettled = TrySettle();
        if (wasUnsettled)
        {
            // The cancellation is not awaited, because its callbacks must not delay the loop that renews the other
            // entries.
            _ = lost.CancelAsync().Observed();
        }

        return wasUnsettled;
    }

    public void Dispose()
    {
        // A cancelled source is not disposed: that would drop callbacks that the cancellation has not reached yet, and
        // there is nothing to free.
        if (!lost.IsCancellationRequested)
        {
            lost.Dispose();
        }
    }
}
