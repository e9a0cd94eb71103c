using System.Collections.Concurrent;
using EventBus.Conformance;
using EventBus.Stores;

namespace EventBus.Architecture.Tests.Example;

/// <summary>The example stores under test: the stores of one isolation use the same table.</summary>
internal sealed class TableStoreBackend : StoreBackend
{
    private readonly ConcurrentDictionary<string, DelayTable> tables = new(StringComparer.Ordinal);

    public override string Name => "Table";

    public override BusStores CreateStores(string isolation) => new TableStores(tables.GetOrAdd(isolation, _ => new DelayTable()));
}
