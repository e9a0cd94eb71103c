using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Represents a received event until it is settled. Redis keeps no copy, so a released event returns to its buffer.
/// </summary>
internal sealed class RedisPubSubDelivery(RedisPubSubBuffer buffer, Envelope envelope, int earlierDeliveries) : IDeliverySettler
{
    // 1 after the delivery was settled; only the first settlement has an effect.
    private int isSettled;

    public Envelope Envelope => envelope;

    public int EarlierDeliveries => earlierDeliveries;

    public Delivery ToDelivery() => new(envelope, this, earlierDeliveries: earlierDeliveries);

    public ValueTask AckAsync(in Delivery delivery)
    {
        if (TrySettle())
        {
            buffer.Forget(this);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask ReleaseAsync(in Delivery delivery)
    {
        if (TrySettle())
        {
            buffer.TakeBack(this);
        }

        return ValueTask.CompletedTask;
    }

    private bool TrySettle() => Interlocked.Exchange(ref isSettled, 1) == 0;
}
