using EventBus.Conformance;

namespace EventBus.Redis.Tests;

public sealed class ConformanceTests(RedisBackend backend) : IClassFixture<RedisBackend>
{
    // What no feature or ability of a backend can say.
    private static readonly Dictionary<string, string> RuledOut = new()
    {
        ["wildcard-patterns"] = "A pattern that begins with a wildcard reads only the streams that the application knows by its declared events and its other patterns.",
    };

    public static TheoryData<string> Names => [.. ConformanceSuite.Scenarios.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Scenario_RedisStreams_PassesOrSaysWhyNot(string name)
    {
        Assert.SkipWhen(RuledOut.ContainsKey(name), RuledOut.GetValueOrDefault(name, ""));
        var scenario = ConformanceSuite.Scenarios.Single(scenario => scenario.Name == name);

        var result = await ConformanceSuite.RunAsync(scenario, backend, TestContext.Current.CancellationToken);

        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }
}
