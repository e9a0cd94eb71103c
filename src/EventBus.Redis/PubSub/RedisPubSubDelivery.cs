using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Represents an event that this instance holds from its arrival until it is settled. Redis keeps no copy.
/// </summary>
internal sealed class RedisPubSubDelivery(RedisPubSubReceiver owner, Envelope envelope, int earlierDeliveries) : IDeliverySettler
{
    private int settled;

    public Envelope Envelope => envelope;

    public int EarlierDeliveries => earlierDeliveries;

    public Delivery ToDelivery() => new(envelope, this, earlierDeliveries: earlierDeliveries);

    public ValueTask AckAsync(in Delivery delivery)
    {
        if (TrySettle())
        {
            owner.Forget(this);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask ReleaseAsync(in Delivery delivery)
    {
        if (TrySettle())
        {
            owner.TakeBack(this);
        }

        return ValueTask.CompletedTask;
    }

    private bool TrySettle() => Interlocked.Exchange(ref settled, 1) == 0;
}
