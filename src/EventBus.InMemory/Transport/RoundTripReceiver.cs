using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>Delivers copies of the events of one subscription that are read from their bytes.</summary>
internal sealed class RoundTripReceiver(InMemoryReceiver inner, string? source) : Receiver
{
    public override ChannelReader<Delivery> Deliveries { get; } = new RoundTripReader(inner.Queue, source);

    public override ValueTask StopIntakeAsync() => inner.StopIntakeAsync();

    public override ValueTask DisposeAsync() => inner.DisposeAsync();
}
