using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>An entry that this instance owns, from its arrival until it is acknowledged, given back or lost.</summary>
internal sealed class UnackedEntry(RedisReceiver owner, RedisKey stream, RedisValue id, Envelope envelope, int earlierDeliveries, long renewedAt) : IDeliverySettler, IDisposable
{
    private readonly CancellationTokenSource lost = new();
    private int settled;

    public RedisKey Stream => stream;

    public RedisValue Id => id;

    /// <summary>Its place in the stream.</summary>
    public RedisStreamId Position { get; } = RedisStreamId.Parse(id);

    public Envelope Envelope => envelope;

    public int EarlierDeliveries => earlierDeliveries;

    /// <summary>False once it is certain that the bus did not see this delivery.</summary>
    public bool MayHaveStarted { get; set; } = true;

    /// <summary>How often it may have been started.</summary>
    public long Deliveries => MayHaveStarted ? earlierDeliveries + 1 : earlierDeliveries;

    /// <summary>When this instance was last known to own it.</summary>
    public long RenewedAt { get; set; } = renewedAt;

    /// <summary>The next delivery of what was released.</summary>
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

    /// <summary>Ends the ownership. What the handler does with the delivery from now on has no effect.</summary>
    /// <returns>Whether it was unsettled until now.</returns>
    public bool Lose()
    {
        var wasUnsettled = TrySettle();
        if (wasUnsettled)
        {
            // Not awaited: whoever listens must not hold up the loop that renews the others.
            _ = CancelAsync(lost);
        }

        return wasUnsettled;
    }

    public void Dispose()
    {
        // Once cancelled it is left alone: disposing would drop the callbacks that the cancellation has not reached yet, and there is nothing to free.
        if (!lost.IsCancellationRequested)
        {
            lost.Dispose();
        }
    }

    /// <summary>What a handler registered may throw, which is no error of the ownership.</summary>
    private static async Task CancelAsync(CancellationTokenSource source) => await source.CancelAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

    private bool TrySettle() => Interlocked.Exchange(ref settled, 1) == 0;
}
