using System.Text;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Tests retries under conditions that could keep them from running.</summary>
public sealed class RetryFairnessTests
{
    private readonly FakeTimeProvider time = new();
    private readonly Seen seen = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Retries_OfOneSubscriptionHang_OthersRetriesRun()
    {
        var hang = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var alive = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Configure(o => o.Retry.Jitter = 0)
                .Subscribe(
                    "stuck",
                    s => s.Concurrency(1).On<OrderPlaced>((_, context, _) => context.Attempt == 1 ? throw new IOException() : hang.Task))
                .Subscribe<OrderShipped>("alive", (_, context, _) =>
                {
                    if (context.Attempt == 1)
                    {
                        throw new IOException();
                    }

                    alive.TrySetResult();
                    return Task.CompletedTask;
                }),
            time);
        await running.Bus.PublishManyAsync([.. Enumerable.Range(0, 200).Select(i => new OrderPlaced($"{i}"))], cancellationToken: Token);
        await running.WhenIdleAsync();
        time.Advance(TimeSpan.FromSeconds(1));
        await running.Bus.PublishAsync(new OrderShipped("1"), Token);
        await running.WhenIdleAsync();

        time.Advance(TimeSpan.FromSeconds(6));
        await alive.Task.WaitAsync(RunningBus.Patience, Token);
        hang.SetResult();
        await running.WhenIdleAsync();

        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    /// <summary>
    /// A deployment costs no retry: an entry that was claimed but got no slot before the stop is released unchanged.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Retry_WaitsForASlotWhileTheBusStops_IsReleasedWithoutAnAttempt(bool ordered)
    {
        var store = new InMemoryFailureStore(1_000);
        var queue = new ScriptedQueue(time, TimeSpan.FromHours(1), TimeSpan.FromHours(2));
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseTransport("Scripted()", _ => queue).UseStores(_ => new TestBusStores("kept", durable: true, failures: store))
                .Configure(options => (options.Retry.Jitter, options.DrainTimeout) = (0, TimeSpan.Zero))
                .Subscribe("mail", s => (ordered ? s.Ordered() : s).Concurrency(1).On<OrderPlaced>(async (e, _, ct) =>
                {
                    if (e.OrderId == "bad")
                    {
                        throw new IOException();
                    }

                    begun.SetResult();
                    await Task.Delay(Timeout.InfiniteTimeSpan, ct);
                })),
            time);
        await running.Bus.PublishAsync(new OrderPlaced("bad"), new PublishOptions { Key = "a" }, Token);
        await queue.Events.UntilAsync(items => items.Count == 1, "the failure is kept");
        await running.Bus.PublishAsync(new OrderPlaced("slow"), new PublishOptions { Key = "b" }, Token);
        await begun.Task.WaitAsync(RunningBus.Patience, Token);
        time.Advance(TimeSpan.FromSeconds(6));
        var retries = ((BusClient)running.Bus).Running().Recovery!.Scheduler;
        await Until.TrueAsync("the due retry is claimed", () => !retries.IsIdle, Token);
        await running.StopAsync().WaitAsync(RunningBus.Patience, Token);

        var entry = Assert.Single((await store.ClaimDueAsync(["mail"], time.GetUtcNow(), TimeSpan.FromMinutes(1), 10, Token)).Entries);
        Assert.Equal((2, false), (entry.Attempts, entry.WasInterrupted));
    }

    [Fact]
    public async Task Retry_UnderEndlessLoad_StillRuns()
    {
        var retried = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory(o => o.Capacity = 64)
            .Retry(1, TimeSpan.Zero)
            .Subscribe("busy", s => s.Concurrency(1).On<OrderPlaced>((e, context, _) =>
            {
                if (e.OrderId == "bad" && context.Attempt == 1)
                {
                    throw new IOException();
                }

                if (e.OrderId == "bad")
                {
                    retried.SetResult();
                }

                return Task.CompletedTask;
            })));
        await running.Bus.PublishAsync(new OrderPlaced("bad"), Token);

        await Until.TrueAsync(
            "the retry ran",
            async () =>
            {
                await running.Bus.PublishAsync(new OrderPlaced("good"), Token);
                return retried.Task.IsCompleted;
            },
            Token);
    }

    [Fact]
    public async Task Store_FullOfWaitingEntries_DelaysNewFailuresUntilRetriesFreeCapacity()
    {
        var isFixed = false;
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory(o => o.StoreCapacity = 3)
                .Configure(o => o.Retry.Jitter = 0)
                .Subscribe("mail", s => s.Concurrency(2).On<OrderPlaced>((e, _, _) => isFixed ? Note(e.OrderId) : throw new IOException())),
            time,
            services => services.AddLogging().AddHealthChecks());
        var health = running.Services.GetRequiredService<HealthCheckService>();
        foreach (var id in Enumerable.Range(0, 6))
        {
            await running.Bus.PublishAsync(new OrderPlaced($"{id}"), Token);
        }

        await Until.TrueAsync(
            "the health check shows that the subscription has no capacity",
            async () => (await health.CheckHealthAsync(Token)).Status == HealthStatus.Degraded,
            Token);
        isFixed = true;
        await time.AdvanceUntilAsync(TimeSpan.FromSeconds(1), "all are handled", () => seen.Items.Count == 6, Token);
        await running.WhenIdleAsync();

        Assert.Equal(["0", "1", "2", "3", "4", "5"], seen.Items.Order());
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync(Token)).Status);
    }

    [Fact]
    public async Task Ordered_WithALimitOfOne_NeverRunsARetryDuringADelivery()
    {
        var (inside, most) = (0, 0);
        await using var running = await RunningBus.StartAsync(
            bus =>
            {
                bus.UseInMemory()
                    .Retry(2, TimeSpan.Zero)
                    .Subscribe("line", s => s.Ordered().Concurrency(1).On<OrderPlaced>(async (_, context, _) =>
                    {
                        most = Math.Max(most, Interlocked.Increment(ref inside));
                        await Task.Yield();
                        Interlocked.Decrement(ref inside);
                        if (context.Attempt == 1)
                        {
                            throw new IOException();
                        }
                    }));
                bus.Event<OrderPlaced>().KeyedBy(e => e.OrderId);
            });

        await running.Bus.PublishManyAsync(
            [.. Enumerable.Range(0, 200).Select(i => new OrderPlaced($"{i % 20}"))],
            cancellationToken: Token);
        await running.WhenIdleAsync();

        Assert.Equal(1, most);
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Received_ConstructorThrows_IsADeadLetterAndTheSubscriptionContinues(bool ordered)
    {
        var transport = new InMemoryTransport(new InMemoryOptions());
        await using var running =
            await RunningBus.StartAsync(bus => bus.UseTransport("UseWire()", _ => transport).StoreInMemory().Subscribe("fragile", s =>
            {
                s.Concurrency(1).On<FragileBroken>((e, _, _) => Note(e.Id));
                if (ordered)
                {
                    s.Ordered();
                }
            }));
        Envelope[] batch = [Received("bad", "{}"), Received("good", """{"id":" x "}""")];

        await transport.PublishAsync(batch, new PublishOutcome[2], Token);
        await running.WhenIdleAsync();

        Assert.Equal(["x"], seen.Items);
        var dead = Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token));
        Assert.Equal(("bad", DeadLetterReason.Unreadable, "{}"), (dead.EventId, dead.Reason, Encoding.UTF8.GetString(dead.Body.Span)));
    }

    private static Envelope Received(string id, string json) =>
        new(new EnvelopeAttributes { Id = id, Name = "fragile.broken" }, Encoding.UTF8.GetBytes(json));

    private Task Note(string text)
    {
        seen.Add(text);
        return Task.CompletedTask;
    }

    public sealed class FragileBroken(string id)
    {
        public string Id { get; } = id.Trim();
    }
}
