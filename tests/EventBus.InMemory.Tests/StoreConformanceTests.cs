using EventBus.Conformance;

namespace EventBus.InMemory.Tests;

public sealed class StoreConformanceTests
{
    private static readonly InMemoryStoreBackend Backend = new();

    public static TheoryData<string> Names => [.. StoreSuite.Scenarios.Select(scenario => scenario.Name)];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Scenario_InMemoryStores_PassesOrSaysWhyNot(string name)
    {
        var result = await StoreSuite.RunAsync(StoreSuite.Scenarios.Single(scenario => scenario.Name == name), Backend, Token);

        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }

    [Fact]
    public Task Guarantees_StoresColumnInMemory_IsWhatTheSuiteSays() =>
        Guarantees.CompareAsync(Backend, StoreSuite.Scenarios.Select(scenario => StoreSuite.RunAsync(scenario, Backend, Token)), Token);

    [Fact]
    public async Task Run_ScenarioOfATransport_IsRefused() =>
        Assert.Contains(
            "ConformanceSuite",
            (await Assert.ThrowsAsync<ArgumentException>(() => StoreSuite.RunAsync(ConformanceSuite.Scenarios[0], Backend, Token))).Message,
            StringComparison.Ordinal);
}
