using System.Collections.Concurrent;
using EventBus.Conformance;
using EventBus.Transports;

namespace EventBus.Architecture.Tests.Example;

#region proof
internal sealed class ChannelBackend : Backend
{
    private readonly ConcurrentDictionary<string, ChannelBroker> brokers = new(StringComparer.Ordinal);

    public override string Name => "Channel";

    public override Transport CreateTransport(TransportSetup setup) => new ChannelTransport(brokers.GetOrAdd(setup.Isolation, _ => new ChannelBroker()));

    public override void AddStores(EventBusBuilder bus, string isolation) => bus.StoreInMemory();
}

public sealed class ChannelTransportTests
{
    private static readonly ChannelBackend Backend = new();

    public static TheoryData<string> Scenarios => [.. ConformanceSuite.Scenarios.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Scenarios))]
    public async Task Transport_UnderConformance_KeepsItsPromise(string name)
    {
        var scenario = ConformanceSuite.Scenarios.Single(scenario => scenario.Name == name);
        var result = await ConformanceSuite.RunAsync(scenario, Backend, TestContext.Current.CancellationToken);
        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }
}
#endregion
