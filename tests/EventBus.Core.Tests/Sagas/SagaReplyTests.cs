using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Sagas;

/// <summary>Steps that ask by an event and wait for its answer.</summary>
public sealed class SagaReplyTests
{
    private readonly Script script = new() { Doing = Ask };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reply_PublishedThroughTheContext_EndsTheStep()
    {
        await using var bus = await script.StartTripsAsync(AskAndWait, bus => bus.Subscribe<PaymentRequested>(
            "payments",
            (asked, context, ct) => context.PublishAsync(new PaymentSettled(asked.TripId, "r-1"), ct)));

        var result = await bus.RunTripAsync();

        Assert.True(result.IsCompleted);
        Assert.Equal(["+flight", "+payment", "receipt r-1", "+confirmation"], result.State.Done);
    }

    [Fact]
    public async Task Wait_ForAReply_UsesNoSlotAndNoLease()
    {
        var time = new FakeTimeProvider();
        await using var bus = await script.StartTripsAsync(AskAndWait, bus => bus.Configure(o => o.Sagas.Concurrency = 1), time);
        await bus.Sagas().StartAsync(new Trip("ada"), "one", Token);
        await bus.Sagas().StartAsync(new Trip("ada"), "two", Token);
        await bus.WhenIdleAsync();

        // Longer than any lease.
        await bus.PassAsync(time, TimeSpan.FromMinutes(5));
        Assert.All(
            await bus.SagaManager().ListAsync(cancellationToken: Token),
            info => Assert.Equal(SagaStepStatus.Waiting, info.Steps[^1].Status));
        await bus.Bus.PublishAsync(new PaymentSettled("two", "r"), new PublishOptions { CorrelationId = "two" }, Token);
        await bus.WhenIdleAsync();

        Assert.Equal(SagaStatus.Completed, (await bus.Sagas().FindAsync("two", Token))!.Status);
        Assert.Equal(SagaStatus.Running, (await bus.Sagas().FindAsync("one", Token))!.Status);
    }

    [Fact]
    public async Task Reply_BeforeTheStepHasEnded_IsStored()
    {
        RunningBus? bus = null;
        script.Doing = async (run, context, _) =>
        {
            if (run == "+payment")
            {
                // An impatient service: it was asked in another way, and answers while the step is still running.
                await bus!.Bus.PublishAsync(
                    new PaymentSettled(context.SagaId, "early"),
                    new PublishOptions { CorrelationId = context.SagaId },
                    Token);
                await Until.TrueAsync(
                    "the reply is taken in",
                    async () => (await bus.SagaStore().FindAsync(context.SagaId, Token))!.Version >= 3,
                    Token);
            }
        };
        await using var running = bus = await script.StartTripsAsync(AskAndWait);

        var result = await bus.RunTripAsync();

        Assert.Equal(["+flight", "+payment", "receipt early", "+confirmation"], result.State.Done);
    }

    [Fact]
    public async Task Reply_Missing_FailsTheStepInDoubtAndALateOneIsReportedAndIgnored()
    {
        var time = new FakeTimeProvider();
        using var log = new LogMemory();
        await using var bus = await script.StartTripsAsync(AskAndWait, bus => Log(bus, log), time);
        await bus.Sagas().StartAsync(new Trip("ada"), "trip-1", Token);
        await bus.WhenIdleAsync();
        await bus.PassAsync(time, TimeSpan.FromMinutes(10) - TimeSpan.FromTicks(1));
        Assert.Equal(SagaStatus.Running, (await bus.Sagas().FindAsync("trip-1", Token))!.Status);
        await bus.PassAsync(time, TimeSpan.FromTicks(1));

        var ended = (await bus.Sagas().FindAsync("trip-1", Token))!;
        Assert.Equal((SagaStatus.Compensated, "payment"), (ended.Status, ended.FailedStep));
        Assert.Contains("did not come within", ended.Error, StringComparison.Ordinal);
        Assert.Equal(["-payment", "-flight"], script.Calls.Where(call => call[0] == '-'));

        await bus.Bus.PublishAsync(new PaymentSettled("trip-1", "late"), new PublishOptions { CorrelationId = "trip-1" }, Token);
        await bus.WhenIdleAsync();
        Assert.Equal(ended.History, (await bus.Sagas().FindAsync("trip-1", Token))!.History);
        Assert.Single(
            log.At(LogLevel.Information),
            text => text.Contains("for the saga book-trip trip-1 is ignored", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Replies_StartsAndTimersAfterTheEnd_ChangeNothing()
    {
        var time = new FakeTimeProvider();
        await using var bus = await script.StartTripsAsync(AskAndWait, bus => bus.Subscribe<PaymentRequested>(
            "payments",
            (asked, context, ct) => context.PublishAsync(new PaymentSettled(asked.TripId, "r-1"), ct)), time);
        Assert.True((await bus.RunTripAsync()).IsCompleted);
        var ended = (await bus.Sagas().FindAsync("trip-1", Token))!;

        await bus.Bus.PublishAsync(new PaymentSettled("trip-1", "again"), new PublishOptions { CorrelationId = "trip-1" }, Token);
        await bus.Bus.PublishAsync(
            new PaymentSettled("trip-1", "again"),
            new PublishOptions { CorrelationId = "unknown", Key = "unknown" },
            Token);
        await bus.Sagas().StartAsync(new Trip("eve"), "trip-1", Token);
        await bus.PassAsync(time, TimeSpan.FromHours(1));

        var after = (await bus.Sagas().FindAsync("trip-1", Token))!;
        Assert.Equal((ended.Status, ended.ChangedAt), (after.Status, after.ChangedAt));
        Assert.Equal(["+flight", "+payment", "+confirmation"], script.Calls);
    }

    [Fact]
    public async Task Reply_Twice_IsUsedOnce()
    {
        await using var bus = await script.StartTripsAsync((saga, s) =>
        {
            Waiting(saga, s, "first");
            Waiting(saga, s, "second");
        });
        var options = new PublishOptions { CorrelationId = "trip-1", EventId = "same" };
        await bus.Sagas().StartAsync(new Trip("ada"), "trip-1", Token);
        await bus.WhenIdleAsync();
        await bus.Bus.PublishAsync(new PaymentSettled("trip-1", "1"), options, Token);
        await bus.WhenIdleAsync();
        await bus.Bus.PublishAsync(new PaymentSettled("trip-1", "1"), options, Token);
        await bus.WhenIdleAsync();
        Assert.Equal(
            ("second", SagaStepStatus.Waiting),
            (await bus.Sagas().FindAsync("trip-1", Token))!.Steps[^1] is var step ? (step.Name, step.Status) : default);

        await bus.Bus.PublishAsync(new PaymentSettled("trip-1", "2"), new PublishOptions { CorrelationId = "trip-1" }, Token);
        Assert.Equal(["+first", "receipt 1", "+second", "receipt 2"], (await bus.RunTripAsync()).State.Done);
    }

    [Fact]
    public async Task Reply_SecondWhileTheFirstIsHandled_EndsNoOtherStep()
    {
        RunningBus? bus = null;
        var second = new PublishOptions { CorrelationId = "trip-1", EventId = "second" };
        await using var running = bus = await script.StartTripsAsync((saga, s) =>
        {
            saga.Step("first", s).WaitFor<PaymentSettled>(TimeSpan.FromMinutes(10), async (reply, context, ct) =>
            {
                await bus!.Bus.PublishAsync(new PaymentSettled("trip-1", "2"), second, ct);
                await UntilAsync("the second reply is known", progress => progress.Knows("second"));
                await Receive(reply, context, ct);
            });
            Waiting(saga, s, "next");
        });
        await bus.Sagas().StartAsync(new Trip("ada"), "trip-1", Token);
        await bus.WhenIdleAsync();
        await bus.Bus.PublishAsync(
            new PaymentSettled("trip-1", "1"),
            new PublishOptions { CorrelationId = "trip-1", EventId = "first" },
            Token);
        await UntilAsync("the next step waits", progress => progress.Active() is { Name: "next", Status: SagaStepStatus.Waiting });
        await bus.WhenIdleAsync();

        // Neither it nor a copy of it, which comes when the next step waits.
        await bus.Bus.PublishAsync(new PaymentSettled("trip-1", "2"), second, Token);
        await bus.WhenIdleAsync();
        Assert.Equal(
            ("next", SagaStepStatus.Waiting),
            (await bus.Sagas().FindAsync("trip-1", Token))!.Steps[^1] is var step ? (step.Name, step.Status) : default);

        await bus.Bus.PublishAsync(
            new PaymentSettled("trip-1", "3"),
            new PublishOptions { CorrelationId = "trip-1", EventId = "third" },
            Token);
        Assert.Equal(["+first", "receipt 1", "+next", "receipt 3"], (await bus.RunTripAsync()).State.Done);

        Task UntilAsync(string what, Func<SagaProgress, bool> reached) => Until.TrueAsync(
            what,
            async () => reached(SagaProgress.Read((await bus!.SagaStore().FindAsync("trip-1", Token))!.Content, out _)!),
            Token);
    }

    [Fact]
    public async Task Reply_SecondToTheSameRequestWhileTheNextStepWaits_IsIgnored()
    {
        RunningBus? bus = null;
        script.Doing = (run, context, ct) => context.PublishAsync(new PaymentRequested(run), ct);
        using var log = new LogMemory();
        await using var running = bus = await script.StartTripsAsync(
            (saga, s) =>
            {
                Waiting(saga, s, "first");
                Waiting(saga, s, "next");
            },
            bus =>
            {
                Log(bus, log);
                bus.Subscribe<PaymentRequested>("payments", (asked, context, ct) => asked.TripId == "+first"
                    ? context.PublishAsync(new PaymentSettled("trip-1", "1"), ct)
                    : Task.CompletedTask);
                bus.Subscribe<PaymentRequested>("late", LateAsync);
            });
        await bus.Sagas().StartAsync(new Trip("ada"), "trip-1", Token);
        await bus.WhenIdleAsync();

        var info = (await bus.Sagas().FindAsync("trip-1", Token))!;
        Assert.Equal(("next", SagaStepStatus.Waiting), (info.Steps[^1].Name, info.Steps[^1].Status));
        Assert.Single(
            log.At(LogLevel.Information),
            text => text.Contains("for the saga book-trip trip-1 is ignored", StringComparison.Ordinal));

        async Task LateAsync(PaymentRequested asked, EventContext context, CancellationToken cancellationToken)
        {
            if (asked.TripId == "+first")
            {
                await Until.TrueAsync(
                    "the next step waits",
                    async () => (await bus!.Sagas().FindAsync("trip-1", cancellationToken))!.Steps
                        is [_, { Status: SagaStepStatus.Waiting }],
                    cancellationToken);
                await context.PublishAsync(new PaymentSettled("trip-1", "2"), cancellationToken);
            }
        }
    }

    [Fact]
    public async Task Reply_MatchedByItsOwnKey_ReachesOnlyTheSagasThatWaitForIt()
    {
        await using var bus = await script.StartTripsAsync((saga, s) => saga.Step("payment", s)
            .WaitFor<PaymentSettled>(TimeSpan.FromMinutes(10), Receive, trip => $"traveller-{trip.Traveller}"));
        await bus.Sagas().StartAsync(new Trip("ada"), "a", Token);
        await bus.Sagas().StartAsync(new Trip("bob"), "b", Token);
        await bus.WhenIdleAsync();

        // The saga's id is not what it waits for.
        await bus.Bus.PublishAsync(new PaymentSettled("b", "wrong"), new PublishOptions { CorrelationId = "b", Key = "b" }, Token);
        await bus.Bus.PublishAsync(new PaymentSettled("a", "right"), new PublishOptions { Key = "traveller-ada" }, Token);
        await bus.WhenIdleAsync();

        Assert.Equal(SagaStatus.Completed, (await bus.Sagas().FindAsync("a", Token))!.Status);
        Assert.Equal(SagaStatus.Running, (await bus.Sagas().FindAsync("b", Token))!.Status);
    }

    [Fact]
    public async Task Reply_ThatRejects_CompensatesEarlierSteps()
    {
        await using var bus = await script.StartTripsAsync(
            (saga, s) =>
            {
                saga.Step("flight", s, undo: true);
                saga.Step("payment", s, undo: true)
                    .RejectedBy<DeclinedException>()
                    .WaitFor<PaymentSettled>(TimeSpan.FromMinutes(10), (_, _, _) => throw new DeclinedException());
            },
            bus => bus.Subscribe<PaymentRequested>(
                "payments",
                (asked, context, ct) => context.PublishAsync(new PaymentSettled(asked.TripId, "no"), ct)));

        var result = await bus.RunTripAsync();

        Assert.Equal((SagaStatus.Compensated, "payment"), (result.Status, result.FailedStep));
        Assert.Equal(["-flight"], script.Calls.Where(call => call[0] == '-'));
    }

    [Fact]
    public async Task Reply_WhoseHandlerFails_IsHandledAgainWithoutAnotherRequest()
    {
        var (asked, failures) = (0, 1);
        await using var bus = await script.StartTripsAsync(
            (saga, s) => saga.Step("payment", s).Retry(1, TimeSpan.Zero).WaitFor<PaymentSettled>(
                TimeSpan.FromMinutes(10),
                (reply, context, ct) => failures-- > 0 ? throw new InvalidOperationException("once") : Receive(reply, context, ct)),
            bus => bus.Subscribe<PaymentRequested>("payments", (request, context, ct) =>
            {
                asked++;
                return context.PublishAsync(new PaymentSettled(request.TripId, "r-1"), ct);
            }));

        var result = await bus.RunTripAsync();

        Assert.Equal(["+payment", "receipt r-1"], result.State.Done);
        Assert.Equal((1, 1), (asked, script.Calls.Count));
    }

    [Fact]
    public async Task Key_FunctionThrows_FailsTheStepLikeAnyError()
    {
        await using var bus = await script.StartTripsAsync((saga, s) => saga.Step("payment", s).Retry(0).WaitFor<PaymentSettled>(
            TimeSpan.FromMinutes(10),
            Receive,
            trip => trip.Traveller == "ada" ? throw new InvalidOperationException("no key") : ""));

        Assert.Equal("InvalidOperationException: no key", (await bus.RunTripAsync()).Error);
        Assert.Contains("1 to 256 are allowed", (await bus.Sagas().RunAsync(new Trip("bob"), "b", Token)).Error, StringComparison.Ordinal);
        Assert.Empty(script.Calls);
    }

    [Fact]
    public async Task Pivot_WithoutAReply_NeedsAttentionAndSendsAnotherRequestWhenRetried()
    {
        var time = new FakeTimeProvider();
        await using var bus = await script.StartTripsAsync((saga, s) => saga.Pivot(
            "payment",
            (context, ct) => s.RunAsync("+payment", context, ct)).WaitFor<PaymentSettled>(TimeSpan.FromMinutes(10), Receive), time: time);
        await bus.Sagas().StartAsync(new Trip("ada"), "trip-1", Token);
        await bus.WhenIdleAsync();
        await bus.PassAsync(time, TimeSpan.FromMinutes(10));
        Assert.Equal(SagaStatus.NeedsAttention, (await bus.Sagas().FindAsync("trip-1", Token))!.Status);

        Assert.True(await bus.SagaManager().RetryAsync("trip-1", Token));
        await bus.WhenIdleAsync();
        Assert.Equal((SagaStatus.Running, 2), ((await bus.Sagas().FindAsync("trip-1", Token))!.Status, script.Calls.Count));
        await bus.Bus.PublishAsync(new PaymentSettled("trip-1", "r"), new PublishOptions { CorrelationId = "trip-1" }, Token);
        await bus.WhenIdleAsync();
        Assert.Equal(SagaStatus.Completed, (await bus.Sagas().FindAsync("trip-1", Token))!.Status);
    }

    [Fact]
    public async Task Reply_WhileThePivotNeedsAttention_IsUsedByTheRetry()
    {
        var time = new FakeTimeProvider();
        await using var bus = await script.StartTripsAsync((saga, s) => saga.Pivot(
            "payment",
            (context, ct) => s.RunAsync("+payment", context, ct)).WaitFor<PaymentSettled>(TimeSpan.FromMinutes(10), Receive), time: time);
        await bus.Sagas().StartAsync(new Trip("ada"), "trip-1", Token);
        await bus.WhenIdleAsync();
        await bus.PassAsync(time, TimeSpan.FromMinutes(10));
        await bus.Bus.PublishAsync(new PaymentSettled("trip-1", "late"), new PublishOptions { CorrelationId = "trip-1" }, Token);
        await bus.WhenIdleAsync();
        Assert.Equal(SagaStatus.NeedsAttention, (await bus.Sagas().FindAsync("trip-1", Token))!.Status);

        Assert.True(await bus.SagaManager().RetryAsync("trip-1", Token));

        Assert.Equal(["+payment", "receipt late"], (await bus.Sagas().WaitAsync<Trip>("trip-1", Token)).State.Done);
        Assert.Single(script.Calls);
    }

    [Fact]
    public async Task Skip_OfAWaitByKey_FreesTheKeyForTheNextWait()
    {
        var time = new FakeTimeProvider();
        await using var bus = await script.StartTripsAsync(
            (saga, s) =>
            {
                saga.Pivot("payment", (context, ct) => s.RunAsync("+payment", context, ct))
                    .WaitFor<PaymentSettled>(TimeSpan.FromMinutes(10), key: _ => "first");
                saga.Step("refund", s).WaitFor<PaymentSettled>(TimeSpan.FromMinutes(10), Receive, _ => "second");
            },
            time: time);
        await bus.Sagas().StartAsync(new Trip("ada"), "trip-1", Token);
        await bus.WhenIdleAsync();
        await bus.PassAsync(time, TimeSpan.FromMinutes(10));
        Assert.True(await bus.SagaManager().SkipAsync("trip-1", "paid in cash", Token));
        await bus.WhenIdleAsync();

        await bus.Bus.PublishAsync(new PaymentSettled("trip-1", "r"), new PublishOptions { Key = "second" }, Token);

        Assert.Equal(["+payment", "+refund", "receipt r"], (await bus.Sagas().WaitAsync<Trip>("trip-1", Token)).State.Done);
    }

    private static void AskAndWait(SagaBuilder<Trip> saga, Script script)
    {
        saga.Step("flight", script, undo: true);
        Waiting(saga, script, "payment");
        saga.Step("confirmation", script);
    }

    private static void Waiting(SagaBuilder<Trip> saga, Script script, string name) =>
        saga.Step(name, script, undo: true).WaitFor<PaymentSettled>(TimeSpan.FromMinutes(10), Receive);

    private static Task Ask(string run, SagaContext<Trip> context, CancellationToken cancellationToken) =>
        run is "+payment" ? context.PublishAsync(new PaymentRequested(context.SagaId), cancellationToken) : Task.CompletedTask;

    private static Task Receive(PaymentSettled reply, SagaContext<Trip> context, CancellationToken cancellationToken)
    {
        context.State.Done.Add($"receipt {reply.Receipt}");
        return Task.CompletedTask;
    }

    private static void Log(EventBusBuilder bus, LogMemory log) =>
        Microsoft.Extensions.DependencyInjection.LoggingServiceCollectionExtensions.AddLogging(
            bus.Services,
            logging => logging.AddProvider(log));
}
