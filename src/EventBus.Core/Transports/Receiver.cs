using System.Threading.Channels;

namespace EventBus.Transports;

/// <summary>The live end of one subscription.</summary>
public abstract class Receiver : IAsyncDisposable
{
    /// <summary>The deliveries. The bus waits for them in one place at a time, and may take them from several threads.</summary>
    /// <remarks>Bounded: what is buffered and unsettled together is a small multiple of <see cref="Subscription.Concurrency"/>. Completes after <see cref="StopIntakeAsync"/> or disposal; a lost connection does not complete it. What was lost while it was buffered may stay in it: the bus passes it over and releases it, which settles nothing.</remarks>
    public abstract ChannelReader<Delivery> Deliveries { get; }

    /// <summary>Takes nothing more from the backend, and completes <see cref="Deliveries"/>. What was taken can still be settled.</summary>
    /// <remarks>What was buffered and not taken goes back: at once, so that another instance can go on with it; in an ordered subscription only when the receiver is disposed, so that nobody else begins before this instance has ended. Where nobody is behind the queue, the rest is handed out before <see cref="Deliveries"/> completes, and what is published from then on is refused.</remarks>
    public abstract ValueTask StopIntakeAsync();

    /// <summary>Ends the subscription of this instance. What is unsettled is given back. Safe to call twice.</summary>
    public abstract ValueTask DisposeAsync();
}
