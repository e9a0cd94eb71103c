using EventBus.Conformance;
using EventBus.Transports;

namespace EventBus.InMemory.Tests;

public sealed class InMemoryBackend : Backend
{
    public override string Name => "In memory";

    public override bool CanLimitQueue => true;

    public override Transport CreateTransport(TransportSetup setup) =>
        new InMemoryTransport(setup.QueueCapacity is { } capacity
            ? new InMemoryOptions { Capacity = capacity, HandlerReserve = capacity }
            : new InMemoryOptions());

    public override void AddStores(EventBusBuilder bus, string isolation) => bus.StoreInMemory();
}
