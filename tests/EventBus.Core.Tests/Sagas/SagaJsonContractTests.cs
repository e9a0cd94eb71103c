using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus.Sagas;

/// <summary>
/// Shows that the JSON of states and replies is checked in memory too, because every store keeps them as bytes.
/// </summary>
public sealed class SagaJsonContractTests
{
    private interface IRoute
    {
        string To { get; }
    }

    [Fact]
    public async Task State_ThatCannotBeRead_IsAnErrorOfTheStart()
    {
        using var host = RunningBus.Build(bus => bus.UseInMemory().AddSaga<PlanRoute, RouteState>());

        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(TestContext.Current.CancellationToken));

        Assert.Contains("the state of the saga plan-route", Assert.Single(error.Problems), StringComparison.Ordinal);
        Assert.Contains("its member Route cannot be read", error.Problems[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task StateAndReply_ThatLoseData_AreWarnings()
    {
        var log = new LogMemory();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().AddSaga<CountSteps, CountState>().Publishes<RouteLost>(),
            services: services => services.AddLogging(logging => logging.AddProvider(log)));

        var warnings = log.At(LogLevel.Warning).Where(text => text.Contains("JSON", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, warnings.Count);
        Assert.Contains(warnings, text => text.Contains("the state of the saga count-steps", StringComparison.Ordinal));
        Assert.Contains(warnings, text => text.Contains("the event steps.counted", StringComparison.Ordinal));
    }

    private sealed record RouteState(IRoute Route);

    private sealed record RouteLost
    {
        public int Km { get; private set; } = 1;
    }

    private sealed class CountState
    {
        public int Count { get; private set; } = 1;
    }

    private sealed class StepsCounted
    {
        public int Count { get; private set; } = 1;
    }

    private sealed class PlanRoute : Saga<RouteState>
    {
        protected internal override void Define(SagaBuilder<RouteState> saga) => saga.Step("plan", (_, _) => Task.CompletedTask);
    }

    private sealed class CountSteps : Saga<CountState>
    {
        protected internal override void Define(SagaBuilder<CountState> saga) => saga
            .Step("count", (_, _) => Task.CompletedTask)
            .WaitFor<StepsCounted>(TimeSpan.FromMinutes(1), (_, _, _) => Task.CompletedTask);
    }
}
