using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Holds the unsettled events of one subscription, and offers their deliveries to the bus. Limits their number and
/// their total size. Thread-safe.
/// </summary>
internal sealed class RedisPubSubBuffer(RedisPubSubOptions options)
{
    // Unbounded; HasRoomFor checks the limits by count and bytes, which include every event until it is acknowledged,
    // also while a handler processes it.
    private readonly Channel<Delivery> deliveries = Channel.CreateUnbounded<Delivery>();
    private long count;
    private long bytes;

    /// <summary>The deliveries that the bus has not taken yet.</summary>
    public ChannelReader<Delivery> Reader => deliveries.Reader;

    /// <summary>The number of unsettled events.</summary>
    public long Count => Interlocked.Read(ref count);

    /// <summary>True if a message of this length is within the limits. An empty buffer accepts any length.</summary>
    public bool HasRoomFor(long length)
    {
        var held = Interlocked.Read(ref bytes);
        var exceedsCount = Count >= options.BufferCount;
        var exceedsBytes = held > 0 && held + length > options.BufferBytes;
        return !exceedsCount && !exceedsBytes;
    }

    /// <summary>Adds an event, and offers its delivery.</summary>
    public void Add(Envelope envelope)
    {
        Interlocked.Increment(ref count);
        Interlocked.Add(ref bytes, envelope.Body.Length);
        deliveries.Writer.TryWrite(new RedisPubSubDelivery(this, envelope, earlierDeliveries: 0).ToDelivery());
    }

    /// <summary>Removes an acknowledged event.</summary>
    public void Forget(RedisPubSubDelivery delivery)
    {
        Interlocked.Decrement(ref count);
        Interlocked.Add(ref bytes, -delivery.Envelope.Body.Length);
    }

    /// <summary>
    /// Delivers a released event again, because Redis keeps no copy. After <see cref="Complete"/> a released event is
    /// lost. It stays in <see cref="Count"/>, so that the log contains it when the receiver closes.
    /// </summary>
    public void TakeBack(RedisPubSubDelivery delivery) =>
        deliveries.Writer.TryWrite(new RedisPubSubDelivery(this, delivery.Envelope, delivery.EarlierDeliveries + 1).ToDelivery());

    /// <summary>
    /// Offers no further deliveries. The bus still takes those that are in the buffer, because their events are stored
    /// nowhere else.
    /// </summary>
    public void Complete() => deliveries.Writer.TryComplete();
}
