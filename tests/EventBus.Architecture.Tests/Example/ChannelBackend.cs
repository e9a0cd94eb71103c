using System.Collections.Concurrent;
using EventBus.Conformance;
using EventBus.Transports;

namespace EventBus.Architecture.Tests.Example;

/// <summary>The example transport under test: the transports of one isolation use the same broker.</summary>
internal sealed class ChannelBackend : Backend
{
    private readonly ConcurrentDictionary<string, ChannelBroker> brokers = new(StringComparer.Ordinal);

    public override string Name => "Channel";

    public override Transport CreateTransport(TransportSetup setup) =>
        new ChannelTransport(brokers.GetOrAdd(setup.Isolation, _ => new ChannelBroker()));

    public override void AddStores(EventBusBuilder bus, string isolation) => bus.StoreInMemory();
}
