using EventBus.Conformance;
using EventBus.Transports;

namespace EventBus.InMemory.Tests;

/// <summary>The in-memory backend whose deliveries and retries are read from the bytes of the events.</summary>
public sealed class RoundTripBackend : Backend
{
    public override string Name => "In memory, round trip";

    public override bool CanLimitQueue => true;

    public override Transport CreateTransport(TransportSetup setup)
    {
        var options = new InMemoryOptions { RoundTrip = true };
        if (setup.QueueCapacity is { } capacity)
        {
            options.Capacity = capacity;
            options.HandlerReserve = capacity;
        }

        return new InMemoryTransport(options);
    }

    public override void AddStores(EventBusBuilder bus, string isolation) => bus.StoreInMemory(memory => memory.RoundTrip = true);
}
