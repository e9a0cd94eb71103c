using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Sagas;

/// <summary>Shows that a saga that cannot continue raises one alert and waits for an operator.</summary>
public sealed class SagaAttentionTests
{
    private readonly Script script = new();
    private readonly Pager pager = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Compensation_KeepsFailing_IsRetriedThenNeedsAttentionWithOneAlert()
    {
        script.Fail("+payment");
        script.Fail("-hotel");
        await using var bus = await StartAsync();

        var result = await bus.RunTripAsync();
        await bus.WhenIdleAsync();

        Assert.Equal((SagaStatus.NeedsAttention, "payment"), (result.Status, result.FailedStep));
        Assert.Equal("The compensation of 'hotel' failed: InvalidOperationException: planned", result.Error);
        Assert.Equal(["-payment", "-hotel", "-hotel", "-hotel"], script.Calls.Where(call => call[0] == '-'));
        var alert = Assert.Single(pager.Alerts);
        Assert.Equal(
            ("book-trip", "trip-1", DeadLetterReason.SagaNeedsAttention, "saga.needs-attention"),
            (alert.First.Subscription, alert.First.EventId, alert.First.Reason, alert.First.EventName));
        Assert.Equal(["trip-1"], alert.Ids);
        Assert.Contains("compensation of 'hotel'", alert.First.Error, StringComparison.Ordinal);
        Assert.Null((await bus.Sagas().FindAsync("trip-1", Token))!.DueAt);
    }

    [Fact]
    public async Task Retry_OfTheFixedCompensation_ContinuesInReverseToTheEnd()
    {
        script.Fail("+payment");
        script.Fail("-hotel", times: 3);
        await using var bus = await StartAsync();
        await bus.RunTripAsync();
        await bus.WhenIdleAsync();

        Assert.True(await bus.SagaManager().RetryAsync("trip-1", Token));
        var result = await bus.Sagas().WaitAsync<Trip>("trip-1", Token);
        await bus.WhenIdleAsync();

        Assert.Equal(SagaStatus.Compensated, result.Status);
        Assert.Equal(["payment", "hotel", "flight"], result.Compensated);
        Assert.Equal(("payment", "InvalidOperationException: planned"), (result.FailedStep, result.Error));
        Assert.Single(script.Keys.Where(key => key.EndsWith("hotel/compensate", StringComparison.Ordinal)).Distinct());
        Assert.Single(pager.Alerts);
        Assert.False(await bus.SagaManager().RetryAsync("trip-1", Token));
        Assert.False(await bus.SagaManager().RetryAsync("unknown", Token));
    }

    [Fact]
    public async Task Retry_ThatFailsAgain_NeedsAttentionAgainWithAnotherAlert()
    {
        var time = new FakeTimeProvider();
        script.Fail("+payment");
        script.Fail("-hotel");
        await using var bus = await StartAsync(time: time);
        await bus.RunTripAsync();
        await bus.WhenIdleAsync();

        await bus.SagaManager().RetryAsync("trip-1", Token);
        await bus.WhenIdleAsync();
        Assert.Single(pager.Alerts);
        await bus.PassAsync(time, TimeSpan.FromMinutes(1));

        Assert.Equal(2, pager.Alerts.Count);
        Assert.Equal(6, script.Calls.Count(call => call == "-hotel"));
    }

    [Fact]
    public async Task Skip_OfACompensation_CompensatesTheRestAndRecordsIt()
    {
        var failed = new List<SagaFailed>();
        script.Fail("+payment");
        script.Fail("-hotel");
        await using var bus = await StartAsync(bus => bus.Subscribe<SagaFailed>("failures", (e, _, _) =>
        {
            failed.Add(e);
            return Task.CompletedTask;
        }));
        await bus.RunTripAsync();

        Assert.True(await bus.SagaManager().SkipAsync("trip-1", "called the hotel", Token));
        var result = await bus.Sagas().WaitAsync<Trip>("trip-1", Token);
        await bus.WhenIdleAsync();

        Assert.Equal(SagaStatus.Compensated, result.Status);
        Assert.Equal(["payment", "flight"], result.Compensated);
        Assert.Equal(["hotel"], Assert.Single(failed).Skipped);
        Assert.Contains(
            (await bus.Sagas().FindAsync("trip-1", Token))!.History,
            entry => entry is { Step: "hotel", Text: "skipped by an operator: called the hotel" });
    }

    [Fact]
    public async Task Finish_OfASagaThatNeedsAttention_EndsItUnchanged()
    {
        script.Fail("+payment");
        script.Fail("-hotel");
        await using var bus = await StartAsync();
        await bus.RunTripAsync();

        Assert.True(await bus.SagaManager().FinishAsync("trip-1", "settled by hand", Token));
        await bus.WhenIdleAsync();

        Assert.Equal(SagaStatus.Finished, (await bus.Sagas().WaitAsync<Trip>("trip-1", Token)).Status);
        Assert.DoesNotContain("-flight", script.Calls);
        Assert.False(await bus.SagaManager().SkipAsync("trip-1", "again", Token));
        Assert.Equal(SagaStatus.Finished, (await bus.RunTripAsync()).Status);
    }

    [Fact]
    public async Task Pivot_Executed_NothingIsCompensated()
    {
        script.Fail("+confirmation");
        await using var bus = await StartAsync(define: WithPivot);

        var result = await bus.RunTripAsync();

        Assert.Equal((SagaStatus.NeedsAttention, "confirmation"), (result.Status, result.FailedStep));
        Assert.Equal(["+flight", "+payment", "+confirmation", "+confirmation"], script.Calls);
        Assert.Contains("after the pivot", result.Error, StringComparison.Ordinal);

        // The skipped step is done, and the saga has ended.
        Assert.True(await bus.SagaManager().SkipAsync("trip-1", "sent by hand", Token));
        Assert.Equal(SagaStatus.Completed, (await bus.Sagas().WaitAsync<Trip>("trip-1", Token)).Status);
    }

    [Fact]
    public async Task Pivot_Rejected_EarlierStepsAreCompensated()
    {
        script.Error = new DeclinedException();
        script.Fail("+payment");
        await using var bus = await StartAsync(define: WithPivot);

        Assert.Equal(["flight"], (await bus.RunTripAsync()).Compensated);
    }

    [Fact]
    public async Task Pivot_InDoubt_NeedsAttention()
    {
        script.Fail("+payment", times: 1);
        await using var bus = await StartAsync(define: WithPivot);

        var result = await bus.RunTripAsync();
        Assert.Equal((SagaStatus.NeedsAttention, "payment"), (result.Status, result.FailedStep));
        Assert.DoesNotContain("-flight", script.Calls);

        Assert.True(await bus.SagaManager().RetryAsync("trip-1", Token));
        Assert.Equal(SagaStatus.Completed, (await bus.Sagas().WaitAsync<Trip>("trip-1", Token)).Status);
    }

    [Fact]
    public async Task Pivot_SkippedByAnOperator_NothingIsCompensatedAfterwards()
    {
        script.Fail("+payment");
        script.Fail("+confirmation");
        await using var bus = await StartAsync(define: WithPivot);
        await bus.RunTripAsync();

        Assert.True(await bus.SagaManager().SkipAsync("trip-1", "it went through", Token));
        await bus.WhenIdleAsync();

        Assert.Equal(
            (SagaStatus.NeedsAttention, "confirmation"),
            (await bus.Sagas().FindAsync("trip-1", Token))! is var info ? (info.Status, info.FailedStep) : default);
        Assert.DoesNotContain("-flight", script.Calls);
    }

    [Fact]
    public async Task Rejection_AfterAnAttemptInDoubt_IsCompensatedToo()
    {
        var starts = 0;
        script.Doing = (run, _, _) => run != "+hotel"
            ? Task.CompletedTask
            : throw (++starts == 1 ? new TimeoutException("lost") : new DeclinedException());
        await using var bus = await StartAsync(define: (saga, s) =>
        {
            saga.Step("flight", s, undo: true);
            saga.Step("hotel", s, undo: true).Retry(5, TimeSpan.Zero).RejectedBy<DeclinedException>();
        });

        Assert.Equal(["hotel", "flight"], (await bus.RunTripAsync()).Compensated);
        Assert.Equal(2, starts);
    }

    [Fact]
    public async Task Events_ThatCannotBeSent_NeedAttentionAndAreSentOrDiscardedByAnOperator()
    {
        script.Doing = (run, context, ct) => run == "+flight"
            ? context.PublishAsync(new PaymentRequested(context.SagaId), ct)
            : Task.CompletedTask;
        await using var bus = await StartAsync(bus => bus.Event<PaymentRequested>().RequireSubscriber());

        var result = await bus.RunTripAsync();
        Assert.Equal(SagaStatus.NeedsAttention, result.Status);
        Assert.Contains("No subscription matches", result.Error, StringComparison.Ordinal);
        Assert.Equal(["+flight"], script.Calls);
        Assert.True(await bus.SagaManager().RetryAsync("trip-1", Token));
        await bus.WhenIdleAsync();
        Assert.Equal(["+flight"], script.Calls);

        Assert.True(await bus.SagaManager().SkipAsync("trip-1", "no longer needed", Token));
        Assert.Equal(SagaStatus.Completed, (await bus.Sagas().WaitAsync<Trip>("trip-1", Token)).Status);
        Assert.Equal(["+flight", "+hotel", "+payment"], script.Calls);
    }

    [Fact]
    public async Task Events_RefusedAtTheEnd_AreDiscardedAndTheOthersSentOnce()
    {
        var completed = 0;
        script.Doing = (run, context, ct) => run == "+payment"
            ? context.PublishAsync(new PaymentRequested(context.SagaId), ct)
            : Task.CompletedTask;
        await using var bus = await StartAsync(bus =>
        {
            bus.Event<PaymentRequested>().RequireSubscriber();
            bus.Subscribe<SagaCompleted>("ends", (_, _, _) =>
            {
                completed++;
                return Task.CompletedTask;
            });
        });

        Assert.True((await bus.RunTripAsync()).IsCompleted);
        await bus.WhenIdleAsync();
        Assert.Equal(1, completed);
        Assert.Null((await bus.Sagas().FindAsync("trip-1", Token))!.DueAt);
    }

    [Fact]
    public async Task Notifier_IsDown_IsRetriedUntilItAcceptsTheAlert()
    {
        var time = new FakeTimeProvider();
        pager.Failures = 1;
        script.Fail("+payment");
        script.Fail("-payment");
        await using var bus = await StartAsync(time: time);
        await bus.RunTripAsync();

        await bus.WhenIdleAsync();
        Assert.Empty(pager.Alerts);
        await bus.PassAsync(time, TimeSpan.FromSeconds(2));
        Assert.Single(pager.Alerts);
    }

    private static void WithPivot(SagaBuilder<Trip> saga, Script script)
    {
        saga.Step("flight", script, undo: true).RetryCompensation(0);
        saga.Pivot("payment", (context, ct) => script.RunAsync("+payment", context, ct)).Retry(0).RejectedBy<DeclinedException>();
        saga.Step("confirmation", script).Retry(1, TimeSpan.Zero);
    }

    private static void Retrying(SagaBuilder<Trip> saga, Script script)
    {
        foreach (var name in (string[])["flight", "hotel", "payment"])
        {
            saga.Step(name, script, undo: true).Retry(0).RetryCompensation(2, TimeSpan.Zero);
        }
    }

    private Task<RunningBus> StartAsync(
        Action<EventBusBuilder>? configure = null,
        Action<SagaBuilder<Trip>, Script>? define = null,
        TimeProvider? time = null) => script.StartTripsAsync(
        define ?? Retrying,
        bus =>
        {
            bus.Services.AddSingleton(pager);
            bus.AddAlert<Pager>();
            configure?.Invoke(bus);
        },
        time);

    internal sealed class Pager : IDeadLetterNotifier
    {
        public List<DeadLetterAlert> Alerts { get; } = [];

        public int Failures { get; set; }

        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            if (Failures-- > 0)
            {
                throw new InvalidOperationException("the pager is down");
            }

            Alerts.Add(alert);
            return Task.CompletedTask;
        }
    }
}
