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

        // Not retried either, although the default is three times.
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
    public async Task Start_SameIdTwiceAndAfterTheEnd_IsOneSaga()
    {
        await using var bus = await script.StartTripsAsync();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => bus.RunTripAsync()));
        var again = await bus.RunTripAsync();

        Assert.True(again.IsCompleted);
        Assert.Equal(["+flight", "+hotel", "+payment"], script.Calls);
        Assert.Equal(1, await bus.SagaManager().CountAsync(cancellationToken: Token));
    }

    [Fact]
    public async Task Start_WithoutAnId_ReturnsANewOneEachTime()
    {
        await using var bus = await script.StartTripsAsync();

        var ids = new[]
        {
            await bus.Sagas().StartAsync(new Trip("ada"), cancellationToken: Token),
            await bus.Sagas().StartAsync(new Trip("ada"), cancellationToken: Token)
        };

        Assert.Equal(2, ids.Distinct().Count());
        Assert.True((await bus.Sagas().WaitAsync<Trip>(ids[1], Token)).IsCompleted);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("a\n")]
    public async Task Start_InvalidId_NamesTheAllowedCharacters(string id)
    {
        await using var bus = await script.StartTripsAsync();

        Assert.Contains(
            "letters, digits",
            (await Assert.ThrowsAsync<ArgumentException>(() => bus.Sagas().StartAsync(new Trip("ada"), id, Token))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_IdOfASagaOfAnotherName_IsAnError()
    {
        await using var bus = await script.StartTripsAsync(configure: bus => bus.AddSaga<OtherSaga, Other>());
        await bus.RunTripAsync("same");

        Assert.Contains(
            "'book-trip'",
            (await Assert.ThrowsAsync<ArgumentException>(() => bus.Sagas().StartAsync(new Other(1), "same", Token))).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "'book-trip'",
            (await Assert.ThrowsAsync<ArgumentException>(() => bus.Sagas().WaitAsync<Other>("same", Token))).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "AddSaga",
            (await Assert.ThrowsAsync<ArgumentException>(() => bus.Sagas().StartAsync("text", null, Token))).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "no saga 'unknown'",
            (await Assert.ThrowsAsync<ArgumentException>(() => bus.Sagas().WaitAsync<Other>("unknown", Token))).Message,
            StringComparison.Ordinal);
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
        Assert.Contains("Keep ids in it", result.Error, StringComparison.Ordinal);
        Assert.Contains("Keep ids in it", (await Assert.ThrowsAsync<ArgumentException>(
            () => bus.Sagas().StartAsync(new Trip(new string('x', 300_000)), null, Token))).Message, StringComparison.Ordinal);
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

        // In whatever order: the subscription is not an ordered one.
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
    public async Task List_ByNameAndStatus_ShowsThePagesTheLatestFirst()
    {
        await using var bus = await script.StartTripsAsync();
        foreach (var id in (string[])["a", "b", "c"])
        {
            await bus.RunTripAsync(id);
        }

        script.Fail("+flight");
        await bus.RunTripAsync("d");
        var done = await bus.SagaManager().ListAsync(new SagaFilter { Status = SagaStatus.Completed, Take = 2 }, Token);
        Assert.Equal(["c", "b"], done.Select(info => info.Id));
        Assert.Equal(["a"], (await bus.SagaManager()
            .ListAsync(new SagaFilter { Status = SagaStatus.Completed, Before = done[^1].Number }, Token)).Select(info => info.Id));
        Assert.Equal(3, await bus.SagaManager().CountAsync(new SagaFilter { Saga = "book-trip", Status = SagaStatus.Completed }, Token));
        Assert.Equal(0, await bus.SagaManager().CountAsync(new SagaFilter { Saga = "other" }, Token));
        var info = (await bus.Sagas().FindAsync("d", Token))!;
        Assert.Equal(
            ["started", "failed for good: InvalidOperationException: planned", "may have had an effect", "compensated", "compensated"],
            info.History.Select(entry => entry.Text));
        Assert.Null(await bus.Sagas().FindAsync("unknown", Token));
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

    [Fact]
    public async Task Bus_NotStartedOrWithoutSagas_IsAnError()
    {
        using var host = RunningBus.Build(bus => bus.UseInMemory());
        var sagas = (ISagas)host.Services.GetService(typeof(ISagas))!;

        Assert.Contains(
            "AddSaga",
            (await Assert.ThrowsAsync<EventBusException>(() => sagas.StartAsync(new Trip("ada"), null, Token))).Message,
            StringComparison.Ordinal);
    }

    internal sealed record Other(int Number);

    internal sealed class OtherSaga : Saga<Other>
    {
        protected internal override void Define(SagaBuilder<Other> saga) => saga.Step("only", (_, _) => Task.CompletedTask);
    }
}
