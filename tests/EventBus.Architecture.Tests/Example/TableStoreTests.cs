using EventBus.Conformance;

namespace EventBus.Architecture.Tests.Example;

#region proof
public sealed class TableStoreTests
{
    private static readonly TableStoreBackend Backend = new();

    public static TheoryData<string> Scenarios => [.. StoreSuite.Scenarios.Select(scenario => scenario.Name)];

    [Theory, MemberData(nameof(Scenarios))]
    public async Task Store_UnderTheSuite_KeepsItsPromise(string scenario)
    {
        var result = await StoreSuite.RunAsync(scenario, Backend, TestContext.Current.CancellationToken);
        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }
}
#endregion
