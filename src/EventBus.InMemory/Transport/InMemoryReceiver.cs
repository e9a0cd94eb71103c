using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>Delivers the events of one subscription from its queue.</summary>
internal sealed class InMemoryReceiver(Subscription subscription, DeliveryQueue queue) : Receiver
{
    public Subscription Subscription { get; } = subscription;

    public DeliveryQueue Queue { get; } = queue;

    public override ChannelReader<Delivery> Deliveries => Queue;

    /// <summary>Reads the numbers of events that wait in the queue and that are being handled.</summary>
    public SubscriptionBacklog ReadBacklog()
    {
        // Events move on between the reads, so the difference may be slightly too low.
        var (accepted, settled) = Queue.Work;
        var waiting = Queue.Count;
        return new SubscriptionBacklog(Subscription.Name, waiting, Math.Max(accepted - settled - waiting, 0), Consumers: 1);
    }

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
