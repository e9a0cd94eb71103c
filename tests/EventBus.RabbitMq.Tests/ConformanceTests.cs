using EventBus.Conformance;

namespace EventBus.RabbitMq.Tests;

[Collection(typeof(PrivateBrokerCollection))]
public sealed class QuorumConformanceTests(QuorumBackend backend) : ConformanceTests(backend), IClassFixture<QuorumBackend>;

[Collection(typeof(PrivateBrokerCollection))]
public sealed class ClassicConformanceTests(ClassicBackend backend) : ConformanceTests(backend), IClassFixture<ClassicBackend>;

public abstract class ConformanceTests(RabbitMqBackend backend)
{
    public static TheoryData<string> Names => [.. ConformanceSuite.Scenarios.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Scenario_RabbitMq_PassesOrSaysWhyNot(string name)
    {
        var scenario = ConformanceSuite.Scenarios.Single(scenario => scenario.Name == name);

        var result = await ConformanceSuite.RunAsync(scenario, backend, TestContext.Current.CancellationToken);

        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }

    [Fact]
    public Task Guarantees_ColumnRabbitMq_IsWhatTheSuiteSays() => Guarantees.CompareAsync(
        backend,
        ConformanceSuite.Scenarios.Select(scenario => ConformanceSuite.RunAsync(scenario, backend, TestContext.Current.CancellationToken)),
        TestContext.Current.CancellationToken);
}
