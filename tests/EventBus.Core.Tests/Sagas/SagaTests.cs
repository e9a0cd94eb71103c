using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Sagas;

/// <summary>Tests the behavior that a class derived from <c>Saga</c> relies on.</summary>
public sealed class SagaTests
{
    private readonly Script script = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Run_EveryStepSucceeds_IsCompletedWithTheFinalState()
    {
        await using var bus = await script.StartTripsAsync();

        var result = await bus.RunTripAsync();

        Assert.True(result.IsCompleted);
        Assert.Equal(["+flight", "+hotel", "+payment"], result.State.Done);
        Assert.Equal(["trip-1/flight/execute", "trip-1/hotel/execute", "trip-1/payment/execute"], script.Keys);
        Assert.Equal((null, null, 0), (result.FailedStep, result.Error, result.Compensated.Count));
    }

    [Fact]
    public async Task Run_StepFailsPermanently_CompensatesItAndAllEarlierStepsInReverse()
    {
        script.Fail("+hotel");
        await using var bus = await script.StartTripsAsync();

        var result = await bus.RunTripAsync();

        Assert.Equal(
            (SagaStatus.Compensated, "hotel", "InvalidOperationException: planned"),
            (result.Status, result.FailedStep, result.Error));
        Assert.Equal(["hotel", "flight"], result.Compensated);
        Assert.Equal(["+flight", "+hotel", "-hotel", "-flight"], script.Calls);
        Assert.Equal("trip-1/flight/compensate", script.Keys[^1]);
    }

    [Fact]
    public async Task Run_StepIsRejected_CompensatesOnlyEarlierSteps()
    {
        script.Error = new DeclinedException();
        script.Fail("+payment");
        await using var bus = await script.StartTripsAsync((saga, s) =>
        {
            saga.Step("flight", s, undo: true);
            saga.Step("payment", s, undo: true).RejectedBy<DeclinedException>();
        });

        var result = await bus.RunTripAsync();

        // The step is not retried, although the default is three retries.
        Assert.Equal((SagaStatus.Compensated, "payment"), (result.Status, result.FailedStep));
        Assert.Equal(["+flight", "+payment", "-flight"], script.Calls);
    }

    [Fact]
    public async Task Run_StepFailsAndThenSucceeds_IsRetriedAfterItsDelays()
    {
        var time = new FakeTimeProvider();
        script.Fail("+flight", times: 2);
        await using var bus = await script.StartTripsAsync(
            (saga, s) => saga.Step("flight", s, undo: true).Retry(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(60)),
            bus => bus.Configure(o => o.Retry.Jitter = 0),
            time);
        await bus.Sagas().StartAsync(new Trip("ada"), "trip-1", Token);

        await bus.WhenIdleAsync();
        Assert.Single(script.Calls);
        await bus.PassAsync(time, TimeSpan.FromSeconds(9));
        Assert.Single(script.Calls);
        await bus.PassAsync(time, TimeSpan.FromSeconds(1));
        Assert.Equal(2, script.Calls.Count);
        await bus.PassAsync(time, TimeSpan.FromSeconds(60));

        Assert.Equal(SagaStatus.Completed, (await bus.RunTripAsync()).Status);
        Assert.Equal(["+flight", "+flight", "+flight"], script.Calls);
        Assert.Single(script.Keys.Distinct());
    }

    [Fact]
    public async Task Run_StepFails_DiscardsItsChangesOfTheState()
    {
        script.Fail("+flight", times: 1);
        await using var bus = await script.StartTripsAsync((saga, s) => saga.Step("flight", s).Retry(1, TimeSpan.Zero));

        Assert.Equal(["+flight"], (await bus.RunTripAsync()).State.Done);
        Assert.Equal(2, script.Calls.Count);
    }

    [Fact]
    public async Task Run_StepInDoubtTimesOut_IsCompensatedToo()
    {
        script.Doing = (run, _, ct) => run == "+hotel" ? Task.Delay(Timeout.InfiniteTimeSpan, ct) : Task.CompletedTask;
        await using var bus = await script.StartTripsAsync((saga, s) =>
        {
            saga.Step("flight", s, undo: true);
            saga.Step("hotel", s, undo: true).Retry(0).Timeout(TimeSpan.FromMilliseconds(50));
        });

        var result = await bus.RunTripAsync();

        Assert.Equal(["hotel", "flight"], result.Compensated);
        Assert.Contains("did not end within its timeout", result.Error, StringComparison.Ordinal);
        Assert.Equal(SagaStepStatus.Compensated, (await bus.Sagas().FindAsync("trip-1", Token))!.Steps[1].Status);
    }

    [Fact]
    public async Task Run_StepWithoutACompensation_IsSkippedInReverse()
    {
        script.Fail("+payment");
        await using var bus = await script.StartTripsAsync((saga, s) =>
        {
            saga.Step("flight", s, undo: true);
            saga.Step("quote", s);
            saga.Step("payment", s).Retry(0);
        });

        Assert.Equal(["flight"], (await bus.RunTripAsync()).Compensated);
        Assert.Equal(["+flight", "+quote", "+payment", "-flight"], script.Calls);
    }

    [Fact]
    public async Task Run_StateGrowsTooLarge_FailsTheStepAndNamesTheFix()
    {
        script.Doing = (_, context, _) =>
        {
            context.State.Done.Add(new string('x', 300_000));
            return Task.CompletedTask;
        };
        await using var bus = await script.StartTripsAsync();

        var result = await bus.RunTripAsync();
        var refused = await Assert.ThrowsAsync<ArgumentException>(
            () => bus.Sagas().StartAsync(new Trip(new string('x', 300_000)), null, Token));

        Assert.Contains("Its largest members: done (300,0", result.Error, StringComparison.Ordinal);
        Assert.Contains("Keep ids in it", result.Error, StringComparison.Ordinal);
        Assert.Contains("Its largest members: traveller (300,002 bytes). Keep ids in it", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Step_PublishesAndFailsFirst_SendsItsEventsOnceWithTheIdOfTheSaga()
    {
        var heard = new List<EventContext>();
        var failed = false;
        script.Doing = async (_, context, ct) =>
        {
            await context.PublishAsync(new PaymentRequested(context.SagaId), ct);
            if (!failed)
            {
                failed = true;
                throw new InvalidOperationException("after it has published");
            }
        };
        await using var bus = await script.StartTripsAsync(
            (saga, s) => saga.Step("payment", s).Retry(1, TimeSpan.Zero),
            bus => bus.Subscribe<PaymentRequested>("payments", (_, context, _) =>
            {
                heard.Add(context);
                return Task.CompletedTask;
            }));

        await bus.RunTripAsync();
        await bus.WhenIdleAsync();

        var only = Assert.Single(heard);
        Assert.Equal(("trip-1", "trip-1"), (only.CorrelationId, only.Key));
    }

    [Fact]
    public async Task Saga_Ended_IsPublishedWithStableIdsAndTheCompensatedSteps()
    {
        var heard = new List<(object? Event, string Id)>();
        await using var bus = await script.StartTripsAsync(configure: bus => bus.SubscribePattern("ends", "saga.#", (context, _) =>
        {
            lock (heard)
            {
                heard.Add((context.Event, context.EventId));
            }

            return Task.CompletedTask;
        }));

        await bus.RunTripAsync("good");
        script.Fail("+payment");
        await bus.RunTripAsync("bad");
        await bus.WhenIdleAsync();

        var events = heard.Select(item => item.Event).ToList();

        // In any order: the subscription is not ordered.
        Assert.Equal(
            ["flight", "hotel", "payment"],
            events.OfType<SagaStepCompleted>().Where(e => e.SagaId == "good").Select(e => e.Step).Order());
        Assert.Equal(new SagaCompleted("good", "book-trip"), Assert.Single(events.OfType<SagaCompleted>()));
        var failed = Assert.Single(events.OfType<SagaFailed>());
        Assert.Equal(
            ("bad", "compensated", "payment", typeof(InvalidOperationException).FullName),
            (failed.SagaId, failed.Status, failed.FailedStep, failed.Error));
        Assert.Equal(["payment", "hotel", "flight"], failed.Compensated);
        Assert.Equal(EventIds.Derive(bus.Services.GetRequiredService<IHostEnvironment>().ApplicationName, "good", "book-trip/completed", 1)
            .ToString(), heard.Single(item => item.Event is SagaCompleted).Id);
    }

    [Fact]
    public async Task Sagas_WithEventsOff_PublishNothing()
    {
        var heard = 0;
        await using var bus = await script.StartTripsAsync(
            configure: bus => bus.Configure(o => o.Sagas.PublishEvents = false).SubscribePattern("ends", "saga.#", (_, _) =>
            {
                heard++;
                return Task.CompletedTask;
            }));

        await bus.RunTripAsync();
        await bus.WhenIdleAsync();
        Assert.Equal(0, heard);
    }

    [Fact]
    public async Task TestContext_OfASaga_LetsAStepBeTestedAlone()
    {
        script.Doing = (_, context, ct) => context.PublishAsync(new PaymentRequested(context.SagaId), ct);
        var context = TestSagaContext.Create(new Trip("ada"), new TestSagaContextOptions { SagaId = "t", Step = "payment" });

        await script.RunAsync("+payment", context, Token);

        Assert.Equal("t/payment/execute", context.IdempotencyKey);
        Assert.Equal([new PaymentRequested("t")], context.Published);
        Assert.Equal(["+payment"], context.State.Done);
        Assert.Throws<InvalidOperationException>(() => context.Services);
    }
}
