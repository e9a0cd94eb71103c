using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Sagas;

/// <summary>What a developer who derives from the base class relies on.</summary>
public sealed class SagaTests
{
    private readonly Script script = new();

    [Fact]
    public async Task Run_EveryStepSucceeds_IsCompletedWithTheStateThatTheStepsLeft()
    {
        await using var bus = await StartAsync();

        var result = await bus.Sagas().RunAsync(new Trip("ada"), "trip-1", TestContext.Current.CancellationToken);

        Assert.Equal(SagaStatus.Completed, result.Status);
        Assert.Equal(["flight", "hotel", "payment"], result.State.Done);
        Assert.Equal(["+flight trip-1/flight/execute", "+hotel trip-1/hotel/execute", "+payment trip-1/payment/execute"], script.Calls);
        Assert.Null(result.Error);
    }

    [Fact]
    public async Task Run_StepFailsForGood_UndoesItAndAllBeforeItInReverse()
    {
        script.Fail("+payment", 100);
        await using var bus = await StartAsync();

        var result = await bus.Sagas().RunAsync(new Trip("ada"), "trip-1", TestContext.Current.CancellationToken);

        Assert.Equal(SagaStatus.Compensated, result.Status);
        Assert.Equal("payment", result.FailedStep);
        Assert.Equal(["payment", "hotel", "flight"], result.Compensated);
        Assert.Equal(["-payment trip-1/payment/compensate", "-hotel trip-1/hotel/compensate", "-flight trip-1/flight/compensate"], script.Calls.Where(call => call[0] == '-'));
    }

    private Task<RunningBus> StartAsync(Action<EventBusBuilder>? configure = null, TimeProvider? time = null) => RunningBus.StartAsync(
        bus =>
        {
            bus.UseInMemory().AddSaga<BookTrip, Trip>();
            configure?.Invoke(bus);
        },
        time,
        services => services.AddSingleton(script));
}
