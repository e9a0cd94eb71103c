using EventBus.Conformance;

namespace EventBus.Architecture.Tests.Example;

#region proof
public sealed class ChannelTransportTests
{
    private static readonly ChannelBackend Backend = new();

    public static TheoryData<string> Scenarios => [.. ConformanceSuite.Scenarios.Select(scenario => scenario.Name)];

    [Theory, MemberData(nameof(Scenarios))]
    public async Task Transport_UnderTheSuite_KeepsItsPromise(string scenario)
    {
        var result = await ConformanceSuite.RunAsync(scenario, Backend, TestContext.Current.CancellationToken);
        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }
}
#endregion
