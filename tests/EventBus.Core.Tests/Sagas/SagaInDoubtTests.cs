using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Sagas;

/// <summary>
/// Shows that a rejection means "no effect" only if no earlier attempt of the step may have had an effect, even if that
/// attempt was interrupted or used up its retries.
/// </summary>
public sealed partial class SagaInDoubtTests
{
    private readonly InMemorySagaStore store = new(1_000);
    private readonly Script script = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Stop_InAStepThatIsThenRejected_CompensatesItToo()
    {
        var runs = 0;
        script.Doing = (run, _, ct) => run != "+hotel" ? Task.CompletedTask
            : ++runs == 1 ? Task.Delay(Timeout.InfiniteTimeSpan, ct)
            : throw new DeclinedException();
        await StartAndStopAsync(() => runs == 1);

        var (result, info) = await ContinueAsync();

        Assert.Equal((SagaStatus.Compensated, "hotel"), (result.Status, result.FailedStep));
        Assert.Equal(["hotel", "flight"], result.Compensated);
        Assert.Equal(["+flight", "+hotel", "+hotel", "-hotel", "-flight"], script.Calls);

        // The interruption is known, and not counted.
        Assert.Equal(0, info.Steps[1].Interruptions);
        Assert.Contains(info.History, entry => entry is { Step: "hotel", Text: "interrupted by a stop" });
    }

    [Fact]
    public async Task Stop_BetweenTwoStepsAndThenARejection_CompensatesOnlyExecutedSteps()
    {
        var (inStep, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        script.Doing = async (run, _, _) =>
        {
            if (run == "+flight")
            {
                inStep.TrySetResult();
                await go.Task;
            }

            if (run == "+hotel")
            {
                throw new DeclinedException();
            }
        };
        using (var first = await StartAsync())
        {
            await Sagas(first).StartAsync(new Trip("ada"), "trip-1", Token);
            await inStep.Task.WaitAsync(RunningBus.Patience, Token);
            var stopping = first.StopAsync(Token);
            go.SetResult();
            await stopping;
        }

        var (result, _) = await ContinueAsync();

        Assert.Equal(["flight"], result.Compensated);
        Assert.Equal(["+flight", "+hotel", "-flight"], script.Calls);
    }

    [Fact]
    public async Task Stop_InAStepThatThenIsRejectedByItsReply_CompensatesItToo()
    {
        var runs = 0;
        script.Doing = (run, context, ct) => run != "+payment" ? Task.CompletedTask
            : ++runs == 1 ? Task.Delay(Timeout.InfiniteTimeSpan, ct)
            : context.PublishAsync(new PaymentRequested(context.SagaId), ct);
        await StartAndStopAsync(() => runs == 1, Declining((_, _) => throw new DeclinedException()));

        var (result, _) = await ContinueAsync(Declining((_, _) => throw new DeclinedException()));

        Assert.Equal(["payment", "flight"], result.Compensated);
    }

    [Fact]
    public async Task Stop_WhileAReplyIsHandledThatIsThenRejected_CompensatesTheStepToo()
    {
        var runs = 0;
        script.Doing = (run, context, ct) => run == "+payment"
            ? context.PublishAsync(new PaymentRequested(context.SagaId), ct)
            : Task.CompletedTask;
        var define = Declining((_, ct) => ++runs == 1 ? Task.Delay(Timeout.InfiniteTimeSpan, ct) : throw new DeclinedException());
        await StartAndStopAsync(() => runs == 1, define);

        var (result, _) = await ContinueAsync(define);

        Assert.Equal(["payment", "flight"], result.Compensated);
        Assert.Equal(2, runs);
    }

    [Fact]
    public async Task Crash_WhileAnEarlyReplyIsHandled_IsCountedAndVisible()
    {
        var runs = 0;
        var inReply = new TaskCompletionSource();
        IHost? answering = null;
        script.Doing = async (run, context, ct) =>
        {
            if (run == "+payment")
            {
                await answering!.Services.GetRequiredService<IEventBus>()
                    .PublishAsync(new PaymentSettled(context.SagaId, "early"), new PublishOptions { CorrelationId = context.SagaId }, ct);
                await Until.TrueAsync(
                    "the reply is stored",
                    async () => SagaProgress.Read((await store.FindAsync(context.SagaId, ct))!.Content, out _)!.Inbox.Count > 0,
                    ct);
            }
        };
        var define = Declining(async (_, _) =>
        {
            if (++runs > 1)
            {
                throw new DeclinedException();
            }

            inReply.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, CancellationToken.None);
        });
        var time = new FakeTimeProvider();
        var crashing = new CrashingSagaStore(store, int.MaxValue, after: false);
        using var first = answering = await StartAsync(define, crashing, time);
        await Sagas(first).StartAsync(new Trip("ada"), "trip-1", Token);
        await inReply.Task.WaitAsync(RunningBus.Patience, Token);
        crashing.Crash();

        using var second = await StartAsync(define, time: time);
        var waiting = Sagas(second).WaitAsync<Trip>("trip-1", Token);
        await time.AdvanceUntilAsync(TimeSpan.FromSeconds(5), "the saga ends", () => waiting.IsCompleted, Token);

        Assert.Equal(["payment", "flight"], (await waiting).Compensated);
        var stopping = Task.WhenAll(first.StopAsync(new CancellationToken(canceled: true)), second.StopAsync(Token));
        await time.AdvanceUntilAsync(TimeSpan.FromSeconds(5), "both instances stop", () => stopping.IsCompleted, Token);
    }

    [Fact]
    public async Task Pivot_InDoubtThenRejectedOnRetry_NeedsAttentionAgain()
    {
        script.Fail("+payment", times: 1);
        await using var bus = await script.StartTripsAsync(WithPivot);
        Assert.Equal(SagaStatus.NeedsAttention, (await bus.RunTripAsync()).Status);
        script.Doing = (run, _, _) => run == "+payment" ? throw new DeclinedException() : Task.CompletedTask;

        Assert.True(await bus.SagaManager().RetryAsync("trip-1", Token));
        var result = await bus.Sagas().WaitAsync<Trip>("trip-1", Token).WaitAsync(RunningBus.Patience, Token);

        Assert.Equal(SagaStatus.NeedsAttention, result.Status);
        Assert.DoesNotContain(script.Calls, call => call[0] == '-');

        // The success of the pivot ends the doubt.
        script.Doing = null;
        Assert.True(await bus.SagaManager().RetryAsync("trip-1", Token));
        Assert.True((await bus.Sagas().WaitAsync<Trip>("trip-1", Token).WaitAsync(RunningBus.Patience, Token)).IsCompleted);
    }

    [Fact]
    public async Task Pivot_WithoutAReplyThenRejectedOnRetry_NeedsAttentionAgain()
    {
        var time = new FakeTimeProvider();
        var asked = 0;
        script.Doing = (run, _, _) => run == "+payment" && ++asked > 1 ? throw new DeclinedException() : Task.CompletedTask;
        await using var bus = await script.StartTripsAsync(
            (saga, s) =>
            {
                saga.Step("flight", s, undo: true);
                saga.Pivot("payment", (context, ct) => s.RunAsync("+payment", context, ct))
                    .RejectedBy<DeclinedException>()
                    .WaitFor<PaymentSettled>(TimeSpan.FromMinutes(10));
            },
            time: time);
        await bus.Sagas().StartAsync(new Trip("ada"), "trip-1", Token);
        await bus.WhenIdleAsync();
        await bus.PassAsync(time, TimeSpan.FromMinutes(10));

        Assert.True(await bus.SagaManager().RetryAsync("trip-1", Token));
        await bus.WhenIdleAsync();

        Assert.Equal((SagaStatus.NeedsAttention, 2), ((await bus.Sagas().FindAsync("trip-1", Token))!.Status, asked));
        Assert.DoesNotContain("-flight", script.Calls);
    }

    private static ISagas Sagas(IHost host) => host.Services.GetRequiredService<ISagas>();

    private static void WithPivot(SagaBuilder<Trip> saga, Script script)
    {
        saga.Step("flight", script, undo: true);
        saga.Pivot("payment", (context, ct) => script.RunAsync("+payment", context, ct)).Retry(0).RejectedBy<DeclinedException>();
    }

    private static Action<SagaBuilder<Trip>, Script> Declining(Func<SagaContext<Trip>, CancellationToken, Task> onReply) => (saga, s) =>
    {
        saga.Step("flight", s, undo: true);
        saga.Step("payment", s, undo: true)
            .RejectedBy<DeclinedException>()
            .WaitFor<PaymentSettled>(TimeSpan.FromMinutes(10), (_, context, ct) => onReply(context, ct));
    };

    private async Task<IHost> StartAsync(
        Action<SagaBuilder<Trip>, Script>? define = null,
        SagaStore? sagas = null,
        TimeProvider? time = null)
    {
        var host = RunningBus.Build(
            bus => bus.UseInMemory()
                .UseStores(_ => new TestBusStores("shared", failures: new InMemoryFailureStore(1_000), sagas: sagas ?? store))
                .AddSaga<BookTrip, Trip>()
                    .Subscribe<PaymentRequested>(
                        "payments",
                        (asked, context, ct) => context.PublishAsync(new PaymentSettled(asked.TripId, "r-1"), ct)),
            time,
            services => services.AddScoped(_ => new BookTrip(script, define)));
        await host.StartAsync(Token);
        return host;
    }

    /// <summary>Starts a saga, and stops its instance in the middle of a step.</summary>
    private async Task StartAndStopAsync(Func<bool> isInStep, Action<SagaBuilder<Trip>, Script>? define = null)
    {
        // The fake time does not pass, so that the time that remains for the last write does not elapse.
        using var first = await StartAsync(define, time: new FakeTimeProvider(DateTimeOffset.UtcNow));
        await Sagas(first).StartAsync(new Trip("ada"), "trip-1", Token);
        await Until.TrueAsync("the step is started", isInStep, Token);
        await first.StopAsync(new CancellationToken(canceled: true)).WaitAsync(RunningBus.Patience, Token);
    }

    /// <summary>Completes the saga on another instance.</summary>
    private async Task<(SagaResult<Trip> Result, SagaInfo Info)> ContinueAsync(Action<SagaBuilder<Trip>, Script>? define = null)
    {
        using var second = await StartAsync(define);
        var result = await Sagas(second).WaitAsync<Trip>("trip-1", Token).WaitAsync(RunningBus.Patience, Token);
        var info = (await Sagas(second).FindAsync("trip-1", Token))!;
        await second.StopAsync(Token);
        return (result, info);
    }
}
