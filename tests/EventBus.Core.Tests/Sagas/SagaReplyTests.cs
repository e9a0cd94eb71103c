using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Sagas;

/// <summary>Tests steps that publish a request and wait for the reply.</summary>
public sealed partial class SagaReplyTests
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
    public async Task Reply_MatchedByItsOwnKey_ReachesOnlyTheSagasThatWaitForIt()
    {
        await using var bus = await script.StartTripsAsync((saga, s) => saga.Step("payment", s)
            .WaitFor<PaymentSettled>(TimeSpan.FromMinutes(10), Receive, trip => $"traveller-{trip.Traveller}"));
        await bus.Sagas().StartAsync(new Trip("ada"), "a", Token);
        await bus.Sagas().StartAsync(new Trip("bob"), "b", Token);
        await bus.WhenIdleAsync();

        // The step does not wait for the id of the saga.
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
