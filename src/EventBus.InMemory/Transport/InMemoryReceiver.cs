using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>Delivers the events of one subscription from its queue.</summary>
internal sealed class InMemoryReceiver(Subscription subscription, DeliveryQueue queue) : Receiver
{
    public Subscription Subscription { get; } = subscription;

    public DeliveryQueue Queue { get; } = queue;

    public override ChannelReader<Delivery> Deliveries => Queue;

    public override ValueTask StopIntakeAsync()
    {
        Queue.Close();
        return ValueTask.CompletedTask;
    }

    public override ValueTask DisposeAsync()
    {
        Queue.Stop();
        return ValueTask.CompletedTask;
    }
}
