using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Represents an entry that this instance owns until it is acknowledged, released or lost.</summary>
internal sealed class UnackedEntry(RedisReceiver owner, RedisKey stream, RedisValue id, Envelope envelope, int earlierDeliveries, long renewedAt) : IDeliverySettler, IDisposable
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

    /// <summary>The maximum number of deliveries that the bus may have received.</summary>
    public long Deliveries => MayHaveStarted ? earlierDeliveries + 1 : earlierDeliveries;

    /// <summary>The time at which this instance was last known to own the entry.</summary>
    public long RenewedAt { get; set; } = renewedAt;

    /// <summary>Creates the next delivery of a released entry.</summary>
    public UnackedEntry Again() => new(owner, stream, id, envelope, earlierDeliveries + 1, RenewedAt);

    public Delivery ToDelivery() => new(envelope, this, earlierDeliveries: earlierDeliveries, lost: lost.Token);

    public ValueTask AckAsync(in Delivery delivery)
    {
        owner.Settling();
        if (TrySettle())
        {
            owner.Acknowledge(this);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask ReleaseAsync(in Delivery delivery) => TrySettle() ? owner.ReleaseAsync(this) : ValueTask.CompletedTask;

    /// <summary>Ends the ownership. The delivery can no longer be settled.</summary>
    /// <returns>True if it was not settled before.</returns>
    public bool Lose()
    {
        var wasUnsettled = TrySettle();
        if (wasUnsettled)
        {
            // Not awaited: the callbacks must not delay the loop that renews the other entries.
            _ = CancelAsync(lost);
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

    /// <summary>Cancels the token. Ignores exceptions of callbacks that handlers have registered.</summary>
    private static async Task CancelAsync(CancellationTokenSource source) => await source.CancelAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

    private bool TrySettle() => Interlocked.Exchange(ref settled, 1) == 0;
}
