using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Delivers copies of the queued events that contain only what a message on a broker would: the attributes and the
/// bytes of the event.
/// </summary>
/// <param name="queue">The queue, which also settles the copies.</param>
/// <param name="source">The source of the events that have none: the name of the service.</param>
internal sealed class RoundTripReader(DeliveryQueue queue, string? source) : ChannelReader<Delivery>
{
    public override bool CanCount => queue.CanCount;

    public override int Count => queue.Count;

    public override bool TryRead([MaybeNullWhen(false)] out Delivery item)
    {
        if (!queue.TryRead(out item))
        {
            return false;
        }

        // A released event is copied again, so that each delivery is read from the bytes.
        item = new Delivery(EnvelopeCopy.Of(item.Envelope, source), queue, item.Token, item.EarlierDeliveries, item.Lost);
        return true;
    }

    public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default) =>
        queue.WaitToReadAsync(cancellationToken);
}
