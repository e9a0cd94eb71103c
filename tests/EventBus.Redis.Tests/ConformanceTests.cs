using EventBus.Conformance;

namespace EventBus.Redis.Tests;

public sealed class ConformanceTests(RedisBackend backend) : IClassFixture<RedisBackend>
{
    public static TheoryData<string> Names => [.. ConformanceSuite.Scenarios.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Scenario_RedisStreams_PassesOrSaysWhyNot(string name)
    {
        var scenario = ConformanceSuite.Scenarios.Single(scenario => scenario.Name == name);

        var result = await ConformanceSuite.RunAsync(scenario, backend, TestContext.Current.CancellationToken);

        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }

    [Fact]
    public Task Guarantees_ColumnRedisStreams_IsWhatTheSuiteSays() => Guarantees.CompareAsync(
        backend,
        ConformanceSuite.Scenarios.Select(scenario => ConformanceSuite.RunAsync(scenario, backend, TestContext.Current.CancellationToken)),
        TestContext.Current.CancellationToken);
}
