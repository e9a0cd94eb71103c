using EventBus.Conformance;

namespace EventBus.Redis.Tests;

public sealed class StoreConformanceTests(RedisStoreBackend backend) : IClassFixture<RedisStoreBackend>
{
    public static TheoryData<string> Names => [.. StoreSuite.Scenarios.Select(scenario => scenario.Name)];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Scenario_RedisStores_PassesOrSaysWhyNot(string name)
    {
        var result = await StoreSuite.RunAsync(StoreSuite.Scenarios.Single(scenario => scenario.Name == name), backend, Token);

        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }

    [Fact]
    public Task Guarantees_StoresColumnRedis_IsWhatTheSuiteSays() =>
        Guarantees.CompareAsync(backend, StoreSuite.Scenarios.Select(scenario => StoreSuite.RunAsync(scenario, backend, Token)), Token);
}
