using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Shows that delayed events are listed and cancelled, and accept a relative delay.</summary>
public sealed class DelayedEventsTests
{
    private readonly FakeTimeProvider time = new();
    private readonly List<string> seen = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publish_WithDelay_IsHandledAfterIt()
    {
        await using var running = await StartAsync();

        await running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { Delay = TimeSpan.FromMinutes(5) }, Token);
        await running.PassAsync(time, TimeSpan.FromMinutes(4));
        Assert.Empty(seen);

        await running.PassAsync(time, TimeSpan.FromMinutes(1));
        Assert.Equal(["1"], seen);
    }

    [Theory, InlineData(-1, false), InlineData(1, true)]
    public async Task Publish_WithAnInvalidDelay_IsRejected(int seconds, bool notBefore)
    {
        await using var running = await StartAsync();
        var options =
            new PublishOptions { Delay = TimeSpan.FromSeconds(seconds), NotBefore = notBefore ? time.GetUtcNow().AddDays(1) : null };

        var error = await Assert.ThrowsAsync<PublishException>(() => running.Bus.PublishAsync(new OrderPlaced("1"), options, Token));

        Assert.Equal(PublishFailure.Rejected, error.Failure);
        Assert.Contains("Delay", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_WithTheLongestDelay_Waits()
    {
        await using var running = await StartAsync();

        await running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { Delay = TimeSpan.MaxValue }, Token);

        Assert.Single(await Delayed(running).ListAsync(cancellationToken: Token));
    }

    [Fact]
    public async Task List_OfDelayedEvents_NamesTheNextOnesFirst()
    {
        await using var running = await StartAsync();
        await DelayAsync(running, "late", 20);
        await DelayAsync(running, "soon", 10, "k");

        var listed = await Delayed(running).ListAsync(1, Token);

        Assert.Equal(
            [new DelayedEvent { EventId = "soon", EventName = "order.placed", Key = "k", DueAt = time.GetUtcNow().AddSeconds(10) }],
            listed);
        Assert.Equal(["soon", "late"], (await Delayed(running).ListAsync(cancellationToken: Token)).Select(each => each.EventId));
    }

    [Fact]
    public async Task Cancel_OfAWaitingEvent_IsNeverPublished()
    {
        await using var running = await StartAsync();
        await DelayAsync(running, "1", 10);
        await DelayAsync(running, "2", 10);

        Assert.True(await Delayed(running).CancelAsync("1", Token));
        Assert.False(await Delayed(running).CancelAsync("1", Token));
        await running.PassAsync(time, TimeSpan.FromSeconds(11));

        Assert.Equal(["2"], seen);
        Assert.False(await Delayed(running).CancelAsync("2", Token));
        Assert.Empty(await Delayed(running).ListAsync(cancellationToken: Token));
    }

    /// <summary>
    /// Nothing else signals that the bus is idle: the handler has ended before, and the clock stands still.
    /// </summary>
    [Fact]
    public async Task WhenIdle_EventIsRemovedAfterItsHandler_Ends()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .UseStores(_ => new TestBusStores("test", failures: new InMemoryFailureStore(100), delays: new LateRemovalDelayStore()))
                .Subscribe<OrderPlaced>("orders", (e, _, _) =>
                {
                    seen.Add(e.OrderId);
                    return Task.CompletedTask;
                }),
            time);
        await DelayAsync(running, "1", 10);

        await running.PassAsync(time, TimeSpan.FromSeconds(11));

        Assert.Equal(["1"], seen);
    }

    [Fact]
    public async Task Cancel_WithoutAStoreOfDelayedEvents_NamesAStore()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .UseStores(_ => new TestBusStores("poor", failures: new InMemoryFailureStore(100)))
                .Publishes<OrderPlaced>(), time);

        var error = await Assert.ThrowsAsync<EventBusException>(() => Delayed(running).CancelAsync("1", Token));

        Assert.Contains("bus.StoreInMemory()", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => Delayed(running).ListAsync(1_001, Token));
    }

    private static DelayedEvents Delayed(RunningBus running) => running.Services.GetRequiredService<DelayedEvents>();

    private Task<RunningBus> StartAsync() => RunningBus.StartAsync(
        bus => bus.UseInMemory().Subscribe<OrderPlaced>("orders", (e, _, _) =>
        {
            seen.Add(e.OrderId);
            return Task.CompletedTask;
        }),
        time);

    private static Task DelayAsync(RunningBus running, string id, int seconds, string? key = null) => running.Bus.PublishAsync(
        new OrderPlaced(id), new PublishOptions { EventId = id, Key = key, Delay = TimeSpan.FromSeconds(seconds) }, Token);
}
