using EventBus.Conformance;

namespace EventBus.InMemory.Tests;

/// <summary>
/// Runs the scenarios of all backends on the in-memory backend that copies events through their bytes.
/// </summary>
public sealed class RoundTripConformanceTests(RoundTripBackend backend) : IClassFixture<RoundTripBackend>
{
    public static TheoryData<string> Scenarios => [.. ConformanceSuite.Scenarios.Select(scenario => scenario.Name)];

    [Theory, MemberData(nameof(Scenarios))]
    public async Task Scenario_WithRoundTrip_PassesOrIsSkipped(string name)
    {
        var result = await ConformanceSuite.RunAsync(name, backend, TestContext.Current.CancellationToken);
        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }
}
