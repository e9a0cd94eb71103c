using System.Threading.Channels;

namespace EventBus.Transports;

/// <summary>Receives the events of one subscription.</summary>
public abstract class Receiver : IAsyncDisposable
{
    /// <summary>
    /// The deliveries. The bus waits for them in one place at a time, and may take them from several threads.
    /// </summary>
    /// <remarks>
    /// The channel is bounded: the number of buffered and unsettled deliveries together is a small multiple of
    /// <see cref="Subscription.Concurrency"/>. The channel completes after <see cref="StopIntakeAsync"/> or disposal; a
    /// lost connection does not complete it. Deliveries that were lost while buffered may stay in it: the bus skips and
    /// releases them, which settles nothing.
    /// </remarks>
    public abstract ChannelReader<Delivery> Deliveries { get; }

    /// <summary>
    /// Stops receiving from the backend and completes <see cref="Deliveries"/>. Deliveries that were taken before can
    /// still be settled.
    /// </summary>
    /// <remarks>
    /// Deliveries that are buffered and not yet taken are released. This happens at once, so that another instance can
    /// handle them; in an ordered subscription it happens only when the receiver is disposed, so that no other instance
    /// begins before this one has ended. If there is no backend that could redeliver them, the remaining events are
    /// delivered before <see cref="Deliveries"/> completes, and later publishes are refused.
    /// </remarks>
    public abstract ValueTask StopIntakeAsync();

    /// <summary>
    /// Ends the subscription of this instance. Unsettled deliveries are released. Safe to call twice.
    /// </summary>
    public abstract ValueTask DisposeAsync();
}
