namespace EventBus.Conformance;

/// <summary>Runs the suite of the stores against a package, and compares its column of docs/guarantees.md.</summary>
public abstract class StoreSuiteTests(StoreBackend backend)
{
    public static TheoryData<string> Scenarios => [.. StoreSuite.Scenarios.Select(scenario => scenario.Name)];

    [Theory, MemberData(nameof(Scenarios))]
    public async Task Scenario_OfTheSuite_PassesOrIsSkipped(string name)
    {
        var result = await ScenarioRuns.Of(backend).ResultAsync(name, TestContext.Current.CancellationToken);
        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }

    [Fact]
    public Task Guarantees_OfTheStores_AreThoseOfTheSuite() =>
        Guarantees.CompareAsync(backend, TestContext.Current.CancellationToken);

    /// <summary>Runs all scenarios at the same time. Part of the long run only.</summary>
    [Fact(Explicit = true)]
    public Task Suite_AllScenariosAtOnce_Passes() => ScenarioRuns.Of(backend).RunAtOnceAsync(TestContext.Current.CancellationToken);
}
