using EventBus.Conformance;

namespace EventBus.Redis.Tests;

public sealed class PubSubConformanceTests(RedisPubSubBackend backend) : IClassFixture<RedisPubSubBackend>
{
    public static TheoryData<string> Names => [.. ConformanceSuite.Scenarios.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Scenario_RedisPubSub_PassesOrSaysWhyNot(string name)
    {
        var scenario = ConformanceSuite.Scenarios.Single(scenario => scenario.Name == name);

        var result = await ConformanceSuite.RunAsync(scenario, backend, TestContext.Current.CancellationToken);

        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }

    [Fact]
    public Task Guarantees_ColumnRedisPubSub_IsWhatTheSuiteSays() => Guarantees.CompareAsync(
        backend,
        ConformanceSuite.Scenarios.Select(scenario => ConformanceSuite.RunAsync(scenario, backend, TestContext.Current.CancellationToken)),
        TestContext.Current.CancellationToken);
}
