using EventBus.Conformance;
using EventBus.Stores;

namespace EventBus.InMemory.Tests;

public sealed class InMemoryStoreBackend : StoreBackend
{
    public override string Name => "In memory";

    public override BusStores CreateStores(string isolation) => InMemoryBuilderExtensions.Stores(new InMemoryOptions());
}
