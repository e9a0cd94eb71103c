using System.Text.Json;
using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Sagas;

/// <summary>Tests sagas that another version of the application started, and clocks that jump.</summary>
public sealed class SagaStateTests
{
    private readonly FakeTimeProvider time = new();
    private readonly InMemorySagaStore store = new(100);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task State_OfAnOlderVersion_IsUpcast()
    {
        await StoreAsync(1, """{"name":"ada","count":4}""");
        await using var bus = await StartAsync(new Journey { Ready = true });

        Assert.Equal(new Route("ada", 5), (await bus.Sagas().WaitAsync<Route>("old", Token).WaitAsync(RunningBus.Patience, Token)).State);
    }

    [Fact]
    public async Task State_ThatCannotBeUpcast_NeedsAttentionAndContinuesWithAFixedApplication()
    {
        await StoreAsync(1, """{"name":"ada","count":"many"}""");
        await using (var bus = await StartAsync(new Journey { Ready = false }))
        {
            await bus.WhenIdleAsync();
            var stuck = (await bus.Sagas().FindAsync("old", Token))!;
            Assert.Equal(SagaStatus.NeedsAttention, stuck.Status);
            Assert.Contains("version 1, cannot be read: not yet", stuck.Error, StringComparison.Ordinal);
        }

        await using var repaired = await StartAsync(new Journey { Ready = true });
        Assert.True(await repaired.SagaManager().RetryAsync("old", Token));
        Assert.True((await repaired.Sagas().WaitAsync<Route>("old", Token).WaitAsync(RunningBus.Patience, Token)).IsCompleted);
    }

    [Fact]
    public async Task State_OfANewerVersion_IsLeftToNewerInstances()
    {
        await StoreAsync(3, """{"name":"ada","stops":1}""");
        await using var bus = await StartAsync(new Journey { Ready = true });
        await bus.WhenIdleAsync();

        var left = (await bus.Sagas().FindAsync("old", Token))!;
        Assert.Equal((SagaStatus.Running, time.GetUtcNow().AddSeconds(30)), (left.Status, left.DueAt));
    }

    [Fact]
    public async Task Content_ThatCannotBeRead_NeedsAttentionAndHidesNoOtherSaga()
    {
        await store.CreateAsync(Entry("broken", "garbage"u8.ToArray()), Token);
        await StoreAsync(2, """{"name":"ada","stops":1}""");
        await using var bus = await StartAsync(new Journey { Ready = true });
        await bus.WhenIdleAsync();

        Assert.Equal(
            [("old", SagaStatus.Completed), ("broken", SagaStatus.NeedsAttention)],
            (await bus.SagaManager().ListAsync(cancellationToken: Token)).Select(info => (info.Id, info.Status)));
        Assert.Contains("cannot be read", (await bus.Sagas().FindAsync("broken", Token))!.Error, StringComparison.Ordinal);
        await Assert.ThrowsAsync<EventBusException>(() => bus.SagaManager().SkipAsync("broken", "no idea", Token));
        Assert.True(await bus.SagaManager().FinishAsync("broken", "lost", Token));
        await bus.WhenIdleAsync();
        Assert.Equal(SagaStatus.Finished, (await bus.Sagas().FindAsync("broken", Token))!.Status);
    }

    [Fact]
    public async Task Content_CorruptedDuringAWait_EndsTheWait()
    {
        await StoreAsync(2, """{"name":"ada","stops":1}""", dueIn: TimeSpan.FromMinutes(1));
        await using var bus = await StartAsync(new Journey { Ready = true });
        var waiting = bus.Sagas().WaitAsync<Route>("old", Token);
        var entry = (await store.FindAsync("old", Token))!;
        await store.SaveAsync(entry with { Content = "{"u8.ToArray() }, Token);
        await bus.PassAsync(time, TimeSpan.FromMinutes(1));

        Assert.Contains(
            "cannot be read",
            (await Assert.ThrowsAsync<EventBusException>(() => waiting.WaitAsync(RunningBus.Patience, Token))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Step_RemovedFromTheApplication_NeedsAttention()
    {
        await StoreAsync(2, """{"name":"ada","stops":1}""", step: "removed");
        await using var bus = await StartAsync(new Journey { Ready = true });
        await bus.WhenIdleAsync();

        var stuck = (await bus.Sagas().FindAsync("old", Token))!;
        Assert.Equal(SagaStatus.NeedsAttention, stuck.Status);
        Assert.Contains("does not have a step 'removed'", stuck.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ended_BeyondItsRetention_IsDeletedAndItsIdReusable()
    {
        await using var bus = await StartAsync(new Journey { Ready = true });
        await bus.Sagas().RunAsync(new Route("ada", 1), "r", Token);
        await bus.PassAsync(time, TimeSpan.FromDays(7) - TimeSpan.FromMinutes(2));
        Assert.NotNull(await bus.Sagas().FindAsync("r", Token));
        await bus.PassAsync(time, TimeSpan.FromMinutes(5));

        await time.AdvanceUntilAsync(
            TimeSpan.FromMinutes(1),
            () => "the saga is forgotten",
            async () => await bus.Sagas().FindAsync("r", Token) is null,
            Token);
    }

    [Fact]
    public async Task Clock_JumpsForward_ExtendsAndSpreadsTheWaits()
    {
        var clock = new JumpingTime();
        var sagas = new SagaClock(clock, new RandomSource(1), Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        var since = clock.GetUtcNow();
        clock.Count(TimeSpan.FromMinutes(1));
        sagas.DetectJump();
        Assert.Null(sagas.NotBefore(since));

        clock.Jump(TimeSpan.FromHours(1));
        sagas.DetectJump();
        var jumped = clock.GetUtcNow();
        var later = Enumerable.Range(0, 20).Select(_ => sagas.NotBefore(since)!.Value).ToList();
        Assert.All(later, at => Assert.InRange(at, jumped.AddSeconds(60), jumped.AddSeconds(66)));
        Assert.True(later.Distinct().Count() > 10);

        // Waits that begin afterwards are not affected, and the granted time ends.
        Assert.Null(sagas.NotBefore(clock.GetUtcNow()));
        clock.Count(TimeSpan.FromSeconds(60));
        sagas.DetectJump();
        Assert.Null(sagas.NotBefore(since));
        await Task.CompletedTask;
    }

    [Fact]
    public async Task Start_WithWaitsThatExpiredLongAgo_ExtendsThemForLateReplies()
    {
        var script = new Script();
        var waiting = new SagaProgress { StateVersion = 1, State = JsonSerializer.SerializeToElement(new Trip("ada")) };
        waiting.Steps.Add(new SagaStepProgress
        {
            Name = "payment",
            Status = SagaStepStatus.Waiting,
            WaitsSince = time.GetUtcNow().AddHours(-2),
            WaitsUntil = time.GetUtcNow().AddHours(-1)
        });
        await store.CreateAsync(Entry("trip-1", waiting.Write(), "book-trip") with { DueAt = time.GetUtcNow().AddHours(-1) }, Token);
        await using var bus = await script.StartTripsAsync(
            (saga, s) => saga.Step("payment", s, undo: true).WaitFor<PaymentSettled>(TimeSpan.FromHours(1)),
            bus => bus.UseStores(_ => new TestBusStores("shared", failures: new InMemoryFailureStore(100), sagas: store)),
            time);
        await bus.WhenIdleAsync();
        Assert.Equal(SagaStatus.Running, (await bus.Sagas().FindAsync("trip-1", Token))!.Status);

        await bus.PassAsync(time, TimeSpan.FromSeconds(67));
        Assert.Equal(SagaStatus.Compensated, (await bus.Sagas().FindAsync("trip-1", Token))!.Status);
    }

    private async Task StoreAsync(int version, string state, string step = "walk", TimeSpan dueIn = default)
    {
        var progress = new SagaProgress { StateVersion = version, State = JsonSerializer.Deserialize<JsonElement>(state) };
        progress.Steps.Add(new SagaStepProgress { Name = step, Status = SagaStepStatus.Executing });
        await store.CreateAsync(Entry("old", progress.Write()) with { DueAt = time.GetUtcNow() + dueIn }, Token);
    }

    private SagaEntry Entry(string id, byte[] content, string saga = "journey") =>
        new()
        {
            Id = id,
            Saga = saga,
            Status = SagaStatus.Running,
            DueAt = time.GetUtcNow(),
            StartedAt = time.GetUtcNow(),
            ChangedAt = time.GetUtcNow(),
            Content = content
        };

    private Task<RunningBus> StartAsync(Journey journey) => RunningBus.StartAsync(
        bus => bus.UseInMemory().UseStores(_ => new TestBusStores("shared", sagas: store)).AddSaga<Journey, Route>(),
        time,
        services => services.AddSingleton(journey));

    internal sealed record Route(string Name, int Stops);

    internal sealed class Journey : Saga<Route>
    {
        public bool Ready { get; init; }

        protected internal override int StateVersion => 2;

        protected internal override void Define(SagaBuilder<Route> saga) => saga.Step("walk", (context, _) =>
        {
            context.State = context.State with { Stops = context.State.Stops + 1 };
            return Task.CompletedTask;
        });

        protected internal override Route Upgrade(int version, JsonElement state) =>
            Ready ? new Route(state.GetProperty("name").GetString()!, state.GetProperty("count").ValueKind == JsonValueKind.Number
                ? state.GetProperty("count").GetInt32()
                : 0) : throw new NotSupportedException("not yet");
    }

    /// <summary>A wall clock that can be set, and a monotonic clock that is independent of it.</summary>
    private sealed class JumpingTime : TimeProvider
    {
        private DateTimeOffset wall = DateTimeOffset.UnixEpoch.AddYears(50);
        private long counted;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => wall;

        public override long GetTimestamp() => counted;

        public void Count(TimeSpan span)
        {
            wall += span;
            counted += span.Ticks;
        }

        public void Jump(TimeSpan span) => wall += span;
    }
}
