using System.Collections.Concurrent;
using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Shows that work planned before the clock is set back by an hour runs after its delay.</summary>
public sealed class ClockSetBackTests
{
    private static readonly TimeSpan Back = TimeSpan.FromHours(-1);

    private readonly SetBackTime time = new();
    private readonly Seen seen = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Retry_PlannedBefore_RunsInTime()
    {
        await using var running = await StartAsync(bus => bus.Retry(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(10))
            .Configure(o => o.Retry.Jitter = 0)
            .Subscribe<OrderPlaced>("mail", (_, context, _) =>
            {
                seen.Add($"start {context.Attempt}");
                throw new InvalidOperationException("mail server down");
            }));
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();
        await time.PassAsync(running, TimeSpan.FromSeconds(5));

        time.Set(Back);
        await time.PassAsync(running, TimeSpan.FromSeconds(4));
        Assert.Equal(["start 1"], seen.Items);
        await time.PassAsync(running, TimeSpan.FromSeconds(2));
        Assert.Equal(["start 1", "start 2"], seen.Items);

        // Work that is planned afterwards is neither earlier nor later.
        await time.PassAsync(running, TimeSpan.FromSeconds(8));
        Assert.Equal(2, seen.Items.Count);
        await time.PassAsync(running, TimeSpan.FromSeconds(3));
        Assert.Equal(3, seen.Items.Count);
    }

    [Fact]
    public async Task Delay_PlannedBeforeOrAfter_RunsInTime()
    {
        await using var running = await StartAsync(bus => bus.Subscribe<OrderPlaced>("mail", (e, _, _) => Note(e.OrderId)));
        await running.Bus.PublishAsync(
            new OrderPlaced("before"),
            new PublishOptions { NotBefore = time.GetUtcNow().AddSeconds(20) },
            Token);

        time.Set(Back);
        await running.Bus.PublishAsync(new OrderPlaced("after"), new PublishOptions { NotBefore = time.GetUtcNow().AddSeconds(10) }, Token);
        await time.PassAsync(running, TimeSpan.FromSeconds(9));
        Assert.Empty(seen.Items);
        await time.PassAsync(running, TimeSpan.FromSeconds(2));
        Assert.Equal(["after"], seen.Items);
        await time.PassAsync(running, TimeSpan.FromSeconds(10));
        Assert.Equal(["after", "before"], seen.Items);
    }

    [Fact]
    public async Task Probe_OfAPausedSubscription_RunsInTime()
    {
        await using var running = await StartAsync(bus => bus.Retry(TimeSpan.FromHours(2))
            .Subscribe("mail", s => s.Concurrency(1).CircuitBreaker(2, TimeSpan.FromSeconds(10)).On<OrderPlaced>((e, _, _) =>
            {
                seen.Add(e.OrderId);
                return e.OrderId is "1" or "2" ? throw new InvalidOperationException("mail server down") : Task.CompletedTask;
            })));
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.Bus.PublishAsync(new OrderPlaced("2"), Token);
        await running.WhenIdleAsync();
        time.Set(Back);
        await running.Bus.PublishAsync(new OrderPlaced("3"), Token);

        // A paused subscription is not idle: its next probe is queued.
        time.Advance(TimeSpan.FromSeconds(12));
        await running.WhenIdleAsync();
        Assert.Equal(["1", "2", "3"], seen.Items);
    }

    [Fact]
    public async Task Alert_ThatFailedBefore_IsSentInTime()
    {
        await using var running = await StartAsync(
            bus => bus.Retry(0)
                .AddAlert<FailingAlert>()
                .Subscribe<OrderPlaced>("mail", (_, _, _) => throw new InvalidOperationException("mail server down")),
            services => services.AddSingleton(seen));
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();
        Assert.Equal(["alert"], seen.Items);

        time.Set(Back);
        await time.PassAsync(running, TimeSpan.FromSeconds(2));
        Assert.Equal(["alert", "alert"], seen.Items);
    }

    [Fact]
    public async Task Saga_WaitsAndRetriesPlannedBefore_EndInTime()
    {
        await using var running = await StartAsync(bus => bus.AddSaga<Waiting, WaitingState>());
        var sagas = running.Services.GetRequiredService<ISagas>();
        var id = await sagas.StartAsync(new WaitingState("1"), cancellationToken: Token);
        await running.WhenIdleAsync();

        time.Set(Back);
        await time.PassAsync(running, TimeSpan.FromSeconds(100));
        Assert.Equal(SagaStatus.Compensated, (await sagas.FindAsync(id, Token))!.Status);
    }

    [Fact]
    public async Task Retry_QueueIsMissingWhileTheClockIsSet_IsDueAsPlanned()
    {
        var (waits, clock, isAway, tries) = (new ConcurrentQueue<TimeSpan>(), (TimeProvider?)null, true, 0);
        var queue = new FaultyStore
        {
            Keep = entry =>
            {
                tries++;
                waits.Enqueue(isAway ? throw new StoreRefusedException(StoreScope.Store, "away") : entry.DueAt - clock!.GetUtcNow());
                return ValueTask.FromResult(true);
            },
        };
        var stores = new TestBusStores("in queues", failures: new FaultyQueue(queue)) { Opened = setup => clock = setup.TimeProvider };
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .UseStores(_ => stores)
                .Retry(TimeSpan.FromMinutes(1))
                .Configure(o => o.Retry.Jitter = 0)
                .Subscribe<OrderPlaced>("mail", (_, _, _) => throw new InvalidOperationException("mail server down")),
            time);
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await AdvanceUntilAsync("a write is tried", () => tries > 0);

        time.Set(Back);
        isAway = false;
        await AdvanceUntilAsync("the entry is written", () => !waits.IsEmpty);
        Assert.InRange(Assert.Single(waits), TimeSpan.Zero, TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task Gap_ClockOfTheStoresDiffers_TimesOutInTime()
    {
        var failures = new InMemoryFailureStore(100);
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .UseStores(_ => new TestBusStores("elsewhere", failures: failures) { Clock = machine => new OtherTime(machine, Back) })
                    .Subscribe("mail", mail => mail.On<StepTaken>((_, _, _) => Task.CompletedTask)
                        .Sequenced<StepTaken>(e => e.Number, configure: guard => guard.Timeout = TimeSpan.FromSeconds(10))),
            time);
        await running.Bus.PublishAsync(new StepTaken("1", 2), new PublishOptions { Key = "1" }, Token);
        await running.WhenIdleAsync();
        await time.PassAsync(running, TimeSpan.FromSeconds(30));
        Assert.Equal(1, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    /// <summary>Advances the time until a condition is true.</summary>
    private Task AdvanceUntilAsync(string what, Func<bool> condition) => Until.TrueAsync(
        what,
        () =>
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            return condition();
        },
        Token);

    private Task<RunningBus> StartAsync(Action<EventBusBuilder> configure, Action<IServiceCollection>? services = null) =>
        RunningBus.StartAsync(
            bus =>
            {
                bus.UseInMemory().StoreInMemory();
                configure(bus);
            },
            time,
            services);

    private Task Note(string text)
    {
        seen.Add(text);
        return Task.CompletedTask;
    }

    private sealed class FailingAlert(Seen seen) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            seen.Add("alert");
            return seen.Items.Count == 1 ? throw new InvalidOperationException("pager down") : Task.CompletedTask;
        }
    }

    /// <summary>A clock that differs from another clock by a fixed time.</summary>
    private sealed class OtherTime(TimeProvider inner, TimeSpan apart) : TimeProvider
    {
        public override long TimestampFrequency => inner.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => inner.GetUtcNow() + apart;

        public override long GetTimestamp() => inner.GetTimestamp();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            inner.CreateTimer(callback, state, dueTime, period);
    }

    private sealed record WaitingState(string Name);

    private sealed class Waiting : Saga<WaitingState>
    {
        protected internal override void Define(SagaBuilder<WaitingState> saga) =>
            saga.Step("ask", (_, _) => Task.CompletedTask, (_, _) => Task.CompletedTask).WaitFor<ReceiptSent>(TimeSpan.FromSeconds(90));
    }
}
