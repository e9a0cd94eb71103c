using System.Threading.Channels;

namespace EventBus.Transports;

/// <summary>Receives the events of one subscription.</summary>
public abstract class Receiver : IAsyncDisposable
{
    /// <summary>
    /// The deliveries. Several threads may read from the channel, but at most one of them waits for the next delivery.
    /// </summary>
    /// <remarks>
    /// The channel is bounded: the number of buffered and unsettled deliveries together is a small multiple of
    /// <see cref="Subscription.Concurrency"/>. The channel completes after <see cref="StopIntakeAsync"/> or disposal; a
    /// lost connection does not complete it. Deliveries that were lost while they were buffered may stay in the
    /// channel: the bus releases them without handling them, which has no effect on a lost delivery.
    /// </remarks>
    public abstract ChannelReader<Delivery> Deliveries { get; }

    /// <summary>
    /// Stops receiving from the backend and completes <see cref="Deliveries"/>. Deliveries that were taken before can
    /// still be settled.
    /// </summary>
    /// <remarks>
    /// Deliveries that are buffered and not yet taken are released. This happens at once, so that another instance can
    /// handle them. In an ordered subscription it happens only when the receiver is disposed, so that no other instance
    /// begins before this one has ended. A transport that cannot redeliver events, because they exist only in this
    /// process, delivers the remaining events before <see cref="Deliveries"/> completes, and refuses later publishes.
    /// </remarks>
    public abstract ValueTask StopIntakeAsync();

    /// <summary>
    /// Ends the subscription of this instance. Unsettled deliveries are released. Safe to call twice.
    /// </summary>
    public abstract ValueTask DisposeAsync();
}
