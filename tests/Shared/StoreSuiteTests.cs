namespace EventBus.Conformance;

/// <summary>Runs the suite of the stores against a package, and compares its column of docs/guarantees.md.</summary>
public abstract class StoreSuiteTests(StoreBackend backend)
{
    public static TheoryData<string> Scenarios => [.. StoreSuite.Scenarios.Select(scenario => scenario.Name)];

    [Theory, MemberData(nameof(Scenarios))]
    public async Task Scenario_OfTheSuite_PassesOrIsSkipped(string name)
    {
        var result = await StoreSuite.RunAsync(name, backend, TestContext.Current.CancellationToken);
        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }

    [Fact]
    public Task Guarantees_OfTheStores_AreThoseOfTheSuite() =>
        Guarantees.CompareAsync(backend, TestContext.Current.CancellationToken);
}
