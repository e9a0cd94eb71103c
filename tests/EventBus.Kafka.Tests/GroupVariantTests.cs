using EventBus.Conformance;

namespace EventBus.Kafka.Tests;

/// <summary>
/// Runs the scenarios of delivery, order, crash and close with another group protocol. The others do not depend on it;
/// they are part of the long run.
/// </summary>
public abstract class GroupVariantTests(Backend backend)
{
    private static readonly string[] Dependent =
    [
        "publish-subscribe", "several-types-one-subscription", "every-subscription-gets-all", "topic-isolation", "wildcard-patterns",
        "live-when-subscribed", "competing-instances", "second-bus", "buses-apart", "buses-share", "services-apart", "pause-resume",
        "order-per-key", "order-across-a-stop", "order-under-failure", "blocked-key-is-bounded",
        "released-comes-again", "released-is-not-overtaken", "unsettled-comes-again", "stopped-intake",
        "events-wait", "backlog", "back-pressure", "severed-connections", "broker-restart", "publish-through-a-restart",
        "close-while-publishing", "shutdown-drains", "shutdown-is-bounded", "double-stop", "double-close", "health",
    ];

    public static TheoryData<string> DependentScenarios => [.. Dependent];

    public static TheoryData<string> OtherScenarios =>
        [.. ConformanceSuite.Scenarios.Select(scenario => scenario.Name).Except(Dependent, StringComparer.Ordinal)];

    [Theory, MemberData(nameof(DependentScenarios))]
    public Task Scenario_ThatDependsOnTheGroup_PassesOrIsSkipped(string name) => RunAsync(name);

    [Theory(Explicit = true), MemberData(nameof(OtherScenarios))]
    public Task Scenario_OfTheRest_PassesOrIsSkipped(string name) => RunAsync(name);

    private async Task RunAsync(string name)
    {
        var result = await ScenarioRuns.Of(backend).ResultAsync(name, TestContext.Current.CancellationToken);
        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }
}
