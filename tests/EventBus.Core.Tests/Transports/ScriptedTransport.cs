using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>A transport whose backend is simulated by a test.</summary>
internal abstract class ScriptedTransport : Transport
{
    public override TransportFeatures Features { get; } =
        new() { System = "scripted", Durable = true, Ordered = true, Redelivers = true, SharesSubscriptions = true };

    public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
