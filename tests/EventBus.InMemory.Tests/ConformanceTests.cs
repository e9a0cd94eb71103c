using EventBus.Conformance;

namespace EventBus.InMemory.Tests;

public sealed class ConformanceTests
{
    private static readonly InMemoryBackend Backend = new();

    public static TheoryData<string> Names => [.. ConformanceSuite.Scenarios.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Scenario_InMemory_PassesOrSaysWhyNot(string name)
    {
        var scenario = ConformanceSuite.Scenarios.Single(scenario => scenario.Name == name);

        var result = await ConformanceSuite.RunAsync(scenario, Backend, TestContext.Current.CancellationToken);

        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }
}
