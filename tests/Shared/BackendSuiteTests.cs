namespace EventBus.Conformance;

/// <summary>Runs the conformance suite against a backend, and compares its column of docs/guarantees.md.</summary>
public abstract class BackendSuiteTests(Backend backend)
{
    public static TheoryData<string> Scenarios => [.. ConformanceSuite.Scenarios.Select(scenario => scenario.Name)];

    [Theory, MemberData(nameof(Scenarios))]
    public async Task Scenario_OfTheSuite_PassesOrIsSkipped(string name)
    {
        var result = await ConformanceSuite.RunAsync(name, backend, TestContext.Current.CancellationToken);
        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }

    [Fact]
    public Task Guarantees_OfTheBackend_AreThoseOfTheSuite() =>
        Guarantees.CompareAsync(backend, TestContext.Current.CancellationToken);
}
