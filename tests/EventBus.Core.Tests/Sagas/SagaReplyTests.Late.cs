using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Sagas;

public sealed partial class SagaReplyTests
{
    [Fact]
    public async Task Reply_BeforeTheStepHasEnded_IsStored()
    {
        RunningBus? bus = null;
        script.Doing = async (run, context, _) =>
        {
            if (run == "+payment")
            {
                // The service received the request in another way, and replies while the step is still running.
                await bus!.Bus.PublishAsync(
                    new PaymentSettled(context.SagaId, "early"),
                    new PublishOptions { CorrelationId = context.SagaId },
                    Token);
                await Until.TrueAsync(
                    "the reply is stored",
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
                await UntilAsync("the second reply is known", progress => progress.HasReceived("second"));
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

        // Neither the reply nor a copy of it that arrives while the next step waits may complete that step.
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
}
