using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Sagas;

/// <summary>
/// An instance ends at every write that there is, and another one resumes. The services do nothing twice under one
/// idempotency key.
/// </summary>
public sealed class SagaCrashTests
{
    private readonly FakeTimeProvider time = new();
    private readonly InMemorySagaStore store = new(1_000);
    private readonly Script script = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Crash_AtEveryWriteOfASagaThatSucceeds_EndsCompletedWithEveryEffectOnce(bool afterTheWrite)
    {
        var writes = 0;
        for (var deadly = 1; await CrashAsync(deadly, afterTheWrite) is var (result, died); deadly++)
        {
            Assert.Equal(SagaStatus.Completed, result.Status);
            Assert.Equal(["+flight", "+hotel", "+payment"], script.Effects.Skip(writes * 3));
            writes++;
            if (!died)
            {
                break;
            }
        }

        // The start, and the end of each of three steps.
        Assert.Equal(5, writes);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Crash_AtEveryWriteOfASagaThatFails_EndsCompensatedInReverseOrder(bool afterTheWrite)
    {
        script.Fail("+payment");
        var died = true;
        for (var deadly = 1; died; deadly++)
        {
            var before = script.Effects.Count;
            (var result, died) = await CrashAsync(deadly, afterTheWrite);

            Assert.Equal(SagaStatus.Compensated, result.Status);
            Assert.Equal(["payment", "hotel", "flight"], result.Compensated);
            Assert.Equal(["+flight", "+hotel", "+payment", "-payment", "-hotel", "-flight"], script.Effects.Skip(before));
        }
    }

    [Fact]
    public async Task Crash_InAStep_RunsItAgainWithTheSameKeyAndAHigherFencingToken()
    {
        var inStep = new TaskCompletionSource();
        var fences = new List<long>();
        script.Doing = async (run, context, _) =>
        {
            fences.Add(context.FencingToken);
            if (run == "+hotel" && inStep.TrySetResult())
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, CancellationToken.None);
            }
        };
        var frozen = new CrashingSagaStore(store, int.MaxValue, after: false);
        await using var first = await Node.StartAsync(frozen, script, time);
        await first.Sagas.StartAsync(new Trip("ada"), "trip-1", Token);
        await inStep.Task.WaitAsync(RunningBus.Patience, Token);
        frozen.Die();
        await using var second = await Node.StartAsync(store, script, time);
        var result = await second.WaitAsync("trip-1");

        Assert.Equal(SagaStatus.Completed, result.Status);
        Assert.Equal(["+flight", "+hotel", "+hotel", "+payment"], script.Calls);
        Assert.Equal(["+flight", "+hotel", "+payment"], script.Effects);
        Assert.True(fences[2] > fences[1]);
        Assert.Equal(1, (await second.Sagas.FindAsync("trip-1", Token))!.Steps[1].Interruptions);
    }

    [Fact]
    public async Task Step_ThatCrashesItsProcessEveryTime_FailsAndIsCompensated()
    {
        // Ten deaths are bad luck; after that it is the step.
        const int Deaths = 11;
        CrashingSagaStore? alive = null;
        script.Doing = (run, _, _) =>
        {
            if (run == "+flight" && script.Calls.Count <= Deaths)
            {
                alive!.Die();
                return Task.Delay(Timeout.InfiniteTimeSpan, CancellationToken.None);
            }

            return Task.CompletedTask;
        };
        var nodes = new List<Node>();
        for (var i = 0; i <= Deaths; i++)
        {
            alive = new CrashingSagaStore(store, int.MaxValue, after: false);
            nodes.Add(await Node.StartAsync(alive, script, time));
            await (i == 0 ? nodes[0].Sagas.StartAsync(new Trip("ada"), "trip-1", Token) : Task.CompletedTask);
            if (i < Deaths)
            {
                await nodes[i].PassUntilAsync(alive.Over);
            }
        }

        var result = await nodes[^1].WaitAsync("trip-1");
        Assert.Equal((SagaStatus.Compensated, "flight"), (result.Status, result.FailedStep));
        Assert.Contains("process ended 11 times", result.Error, StringComparison.Ordinal);
        Assert.Equal(Deaths, script.Calls.Count(call => call == "+flight"));
        foreach (var node in nodes)
        {
            await node.DisposeAsync();
        }
    }

    [Fact]
    public async Task Owner_SuspendedBeyondItsLease_ChangesNothingWhenItResumes()
    {
        var (asleep, wake) = (new TaskCompletionSource(), new TaskCompletionSource());
        script.Doing = async (run, _, _) =>
        {
            if (run == "+hotel" && asleep.TrySetResult())
            {
                await wake.Task;
            }
        };
        var paused = new CrashingSagaStore(store, int.MaxValue, after: false);
        await using var first = await Node.StartAsync(paused, script, time);
        await first.Sagas.StartAsync(new Trip("ada"), "trip-1", Token);
        await asleep.Task.WaitAsync(RunningBus.Patience, Token);
        var release = paused.Pause();
        await using var second = await Node.StartAsync(store, script, time);
        await second.WaitAsync("trip-1");
        var ended = (await store.FindAsync("trip-1", Token))!;

        wake.SetResult();
        release();
        await Until.TrueAsync(
            "the first instance notices that the saga was taken over",
            () => first.Log.At(Microsoft.Extensions.Logging.LogLevel.Warning)
                .Any(text => text.Contains("taken over", StringComparison.Ordinal)),
            Token);

        Assert.Equal(ended, await store.FindAsync("trip-1", Token));
        Assert.Equal(["+flight", "+hotel", "+hotel", "+payment"], script.Calls);
    }

    [Fact]
    public async Task Stop_BetweenTwoSteps_ReleasesTheSagaAtOnceWithoutAnAttempt()
    {
        var (inStep, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        script.Doing = async (run, _, _) =>
        {
            if (run == "+flight" && inStep.TrySetResult())
            {
                await go.Task;
            }
        };
        var first = await Node.StartAsync(store, script, time);
        await first.Sagas.StartAsync(new Trip("ada"), "trip-1", Token);
        await inStep.Task.WaitAsync(RunningBus.Patience, Token);
        var stopping = first.StopAsync();
        go.SetResult();
        await stopping;
        await using var second = await Node.StartAsync(store, script, time);
        var result = await second.Sagas.WaitAsync<Trip>("trip-1", Token).WaitAsync(RunningBus.Patience, Token);

        Assert.Equal(["+flight", "+hotel", "+payment"], script.Calls);
        Assert.All((await second.Sagas.FindAsync("trip-1", Token))!.Steps, step => Assert.Equal(0, step.Interruptions));
        Assert.True(result.IsCompleted);
        await first.DisposeAsync();
    }

    [Fact]
    public async Task Stop_InALongStep_ReleasesItAtOnceWithoutAnAttempt()
    {
        var inStep = new TaskCompletionSource();
        script.Doing = (run, _, ct) => run == "+hotel" && inStep.TrySetResult()
            ? Task.Delay(Timeout.InfiniteTimeSpan, ct)
            : Task.CompletedTask;
        await using var first = await Node.StartAsync(store, script, time);
        await first.Sagas.StartAsync(new Trip("ada"), "trip-1", Token);
        await inStep.Task.WaitAsync(RunningBus.Patience, Token);

        // Its budget is spent at once, and the token of the step cancelled. Time stands still, so that what the stop
        // leaves for the last write does not run out.
        await first.StopAsync(new CancellationToken(canceled: true)).WaitAsync(RunningBus.Patience, Token);
        await using var second = await Node.StartAsync(store, script, null);

        Assert.True((await second.Sagas.WaitAsync<Trip>("trip-1", Token).WaitAsync(RunningBus.Patience, Token)).IsCompleted);
        Assert.All((await second.Sagas.FindAsync("trip-1", Token))!.Steps, step => Assert.Equal(0, step.Interruptions));
    }

    [Fact]
    public async Task Step_LongerThanTheLease_KeepsTheLease()
    {
        var (inStep, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        script.Doing = async (run, _, _) =>
        {
            if (run == "+hotel")
            {
                inStep.TrySetResult();
                await go.Task;
            }
        };
        await using var first = await Node.StartAsync(store, script, time);
        await first.Sagas.StartAsync(new Trip("ada"), "trip-1", Token);
        await inStep.Task.WaitAsync(RunningBus.Patience, Token);
        await using var second = await Node.StartAsync(store, script, time);
        var leased = (await store.FindAsync("trip-1", Token))!.DueAt;

        // Longer than a lease of 30 s, and shorter than the timeout of a step. Time passes in small steps, so that a
        // renewal that has begun can also end.
        await time.AdvanceUntilAsync(
            TimeSpan.FromMilliseconds(10),
            () => "The lease is renewed.",
            async () => (await store.FindAsync("trip-1", Token))!.DueAt >= leased + TimeSpan.FromSeconds(45),
            Token);

        go.SetResult();
        Assert.True((await first.Sagas.WaitAsync<Trip>("trip-1", Token).WaitAsync(RunningBus.Patience, Token)).IsCompleted);
        Assert.Equal(["+flight", "+hotel", "+payment"], script.Calls);
    }

    [Fact]
    public async Task Store_ThatDoesNotAnswer_DelaysTheSagaAndIsAskedAgain()
    {
        var down = new CrashingSagaStore(store, int.MaxValue, after: false);
        script.Doing = (run, _, _) =>
        {
            // Each write is followed by another that shows whether the store takes anything.
            down.Failures = run == "+hotel" ? 6 : 0;
            return Task.CompletedTask;
        };
        await using var node = await Node.StartAsync(down, script, null);

        var result = await node.Sagas.RunAsync(new Trip("ada"), "trip-1", Token).WaitAsync(RunningBus.Patience, Token);

        Assert.True(result.IsCompleted);
        Assert.Equal(["+flight", "+hotel", "+payment"], script.Calls);
        Assert.Single(node.Log.At(Microsoft.Extensions.Logging.LogLevel.Error));
        Assert.Contains(node.Log.Entries, entry => entry.Text.StartsWith("Recovered after 3 failures", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Store_ThatAcceptsNoWrites_IsUnhealthyUntilItDoes()
    {
        var down = new CrashingSagaStore(store, int.MaxValue, after: false);
        script.Doing = (run, _, _) =>
        {
            down.Failures = run == "+hotel" ? 2 : 0;
            return Task.CompletedTask;
        };
        await using var node = await Node.StartAsync(down, script, time);
        await node.Sagas.StartAsync(new Trip("ada"), "trip-1", Token);
        HealthReport? report = null;
        await Until.TrueAsync(
            "the bus is not healthy",
            async () => (report = await node.Health.CheckHealthAsync(Token)).Status != HealthStatus.Healthy,
            Token);

        var entry = Assert.Single(report!.Entries).Value;
        Assert.StartsWith("The saga store accepts no writes", entry.Description, StringComparison.Ordinal);
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.True((await node.Sagas.WaitAsync<Trip>("trip-1", Token).WaitAsync(RunningBus.Patience, Token)).IsCompleted);
        Assert.Equal(HealthStatus.Healthy, (await node.Health.CheckHealthAsync(Token)).Status);
    }

    [Fact]
    public async Task Lease_WithLessThanTwoThirdsLeft_IsRenewed()
    {
        var now = time.GetUtcNow();
        var (services, lease) = (TestServices.Create(time), TimeSpan.FromSeconds(30));
        var renewer = new SagaLeaseRenewer(
            new SagaRepository(store, new SagaRefusals(store, services, CancellationToken.None), lease, services, CancellationToken.None),
            lease,
            services);
        var progress = new SagaProgress { Held = true };
        var entry = new SagaEntry
        {
            Id = "trip-1",
            Saga = "book-trip",
            Status = SagaStatus.Running,
            StartedAt = now,
            ChangedAt = now,
            Content = progress.Write()
        };
        Assert.True(await store.CreateAsync(entry, Token));

        // At the look after ten seconds it has 16 left; at the one after that only 6 would be.
        var hold = new LeasedSaga(null!, entry with { Version = 1 }, progress, now.AddSeconds(26));
        renewer.Hold(hold);
        using var stop = new CancellationTokenSource();
        var renewing = renewer.RunAsync(stop.Token);
        time.Advance(TimeSpan.FromSeconds(10));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => renewing.WaitAsync(RunningBus.Patience, Token));

        Assert.Equal(now.AddSeconds(40), (await store.FindAsync("trip-1", Token))!.DueAt);
    }

    [Fact]
    public async Task Writes_OfEightWritersAtOnce_LoseNothing()
    {
        var services = TestServices.Create(time);
        var repository = new SagaRepository(
            store,
            new SagaRefusals(store, services, CancellationToken.None),
            TimeSpan.FromSeconds(30),
            services,
            CancellationToken.None);
        await store.CreateAsync(new SagaEntry
        {
            Id = "s",
            Saga = "x",
            Status = SagaStatus.Running,
            StartedAt = default,
            ChangedAt = default,
            Content = new byte[1]
        }, Token);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(
            async () =>
            {
                for (var i = 0; i < 500; i++)
                {
                    await repository.ChangeAsync("s", entry => entry with { Claim = entry.Claim + 1 }, Token);
                }
            },
            Token)));

        var entry = (await store.FindAsync("s", Token))!;
        Assert.Equal((4_000, 4_001), (entry.Claim, entry.Version));
    }

    /// <summary>Runs a saga on an instance that dies at a write, and then on another.</summary>
    private async Task<(SagaResult<Trip> Result, bool Died)> CrashAsync(int deadly, bool after)
    {
        var mortal = new CrashingSagaStore(store, deadly, after);
        var id = $"trip-{deadly}";
        await using var first = await Node.StartAsync(mortal, script, time);
        var starting = first.Sagas.StartAsync(new Trip("ada"), id, Token);
        await mortal.Over.WaitAsync(RunningBus.Patience, Token);
        await using var second = await Node.StartAsync(store, script, time);
        if (await store.FindAsync(id, Token) is null)
        {
            // The instance died before the saga was stored: the caller starts it again.
            await second.Sagas.StartAsync(new Trip("ada"), id, Token);
        }

        return (await second.WaitAsync(id), mortal.IsDead);
    }

    /// <summary>An instance of the application.</summary>
    private sealed class Node(IHost host, FakeTimeProvider? time, LogMemory log) : IAsyncDisposable
    {
        private static readonly TimeSpan Step = TimeSpan.FromSeconds(5);

        public ISagas Sagas => host.Services.GetRequiredService<ISagas>();

        public HealthCheckService Health => host.Services.GetRequiredService<HealthCheckService>();

        public LogMemory Log => log;

        public static async Task<Node> StartAsync(SagaStore store, Script script, FakeTimeProvider? time)
        {
            var log = new LogMemory();
            var host = RunningBus.Build(
                bus => bus.UseInMemory().UseStores(_ => new TestBusStores("shared", sagas: store)).AddSaga<BookTrip, Trip>(),
                time,
                services =>
                {
                    services.AddScoped(_ => new BookTrip(script));
                    services.AddHealthChecks();
                    services.AddSingleton<Microsoft.Extensions.Logging.ILoggerProvider>(log);
                });
            await host.StartAsync(Token);
            return new Node(host, time, log);
        }

        /// <summary>Lets time pass, whenever there is nothing to do, until it has happened.</summary>
        public async Task PassUntilAsync(Task happened)
        {
            using var patience = new CancellationTokenSource(RunningBus.Patience, TimeProvider.System);
            while (!happened.IsCompleted)
            {
                Assert.False(patience.IsCancellationRequested, "It did not happen.");
                await Task.WhenAny(happened, host.Services.GetRequiredService<IEventBus>().WhenIdleAsync(RunningBus.Patience, Token));
                time!.Advance(Step);
            }
        }

        /// <summary>Lets time pass until the saga has ended.</summary>
        public async Task<SagaResult<Trip>> WaitAsync(string id)
        {
            var waiting = Sagas.WaitAsync<Trip>(id, Token);
            await PassUntilAsync(waiting);
            return await waiting;
        }

        public Task StopAsync(CancellationToken? budget = null) => host.StopAsync(budget ?? Token);

        public async ValueTask DisposeAsync()
        {
            // A dead one never ends its step: the stop waits for it as long as it waits for anybody.
            var stopping = host.StopAsync(new CancellationToken(canceled: true));
            await Until.TrueAsync(
                "the instance stops",
                () =>
                {
                    time?.Advance(Step);
                    return stopping.IsCompleted;
                },
                CancellationToken.None);
            await stopping;
            host.Dispose();
            log.Dispose();
        }
    }
}
