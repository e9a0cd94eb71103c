using EventBus.Stores;

namespace EventBus;

/// <summary>Tests a delayed publish whose store does not accept the event at once.</summary>
public sealed class DelayedStoreTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publish_StoreRefusesTemporarily_IsRepeatedUntilItAccepts()
    {
        var calls = 0;
        await using var running =
            await StartAsync(() => ++calls <= 3 ? throw new StoreRefusedException(StoreScope.Store, "It is full.") : Task.CompletedTask);

        await PublishAsync(running, TimeSpan.FromMinutes(1));

        Assert.Equal(4, calls);
    }

    [Fact]
    public async Task Publish_StoreRefusesUntilTheDeadline_IsFailed()
    {
        var calls = 0;
        await using var running = await StartAsync(() => throw new StoreRefusedException(StoreScope.Store, $"It is full: {++calls}."));

        var failure = await Assert.ThrowsAsync<PublishException>(() => PublishAsync(running, TimeSpan.FromMilliseconds(300)));

        Assert.Equal(PublishFailure.Failed, failure.Failure);
        Assert.InRange(calls, 2, 20);
    }

    [Theory, InlineData(PublishFailure.Rejected), InlineData(PublishFailure.Failed), InlineData(PublishFailure.InDoubt)]
    public async Task Publish_RepeatWouldNotHelp_EndsAtOnce(PublishFailure expected)
    {
        var calls = 0;
        await using var running = await StartAsync(() =>
        {
            calls++;
            throw expected switch
            {
                PublishFailure.Rejected => new StoreRefusedException(StoreScope.Entry, "It is too long."),
                PublishFailure.Failed => new InvalidOperationException("It was withdrawn."),
                _ => new IOException("No answer."),
            };
        });

        var failure = await Assert.ThrowsAsync<PublishException>(() => PublishAsync(running, TimeSpan.FromMinutes(1)));

        Assert.Equal((expected, 1), (failure.Failure, calls));
    }

    [Fact]
    public async Task Publish_CallerCancelsBetweenRepeats_EndsAtOnce()
    {
        using var caller = new CancellationTokenSource();
        await using var running = await StartAsync(async () =>
        {
            await caller.CancelAsync();
            throw new StoreRefusedException(StoreScope.Store, "It is full.");
        });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.Bus.PublishAsync(
            new OrderPlaced("1"),
            new PublishOptions { NotBefore = DateTimeOffset.UtcNow.AddHours(1), Timeout = TimeSpan.FromMinutes(1) },
            caller.Token));
    }

    private static Task PublishAsync(RunningBus running, TimeSpan timeout) =>
        running.Bus.PublishAsync(
            new OrderPlaced("1"),
            new PublishOptions { NotBefore = DateTimeOffset.UtcNow.AddHours(1), Timeout = timeout },
            Token).WaitAsync(RunningBus.Patience, Token);

    private static Task<RunningBus> StartAsync(Func<Task> answering) => RunningBus.StartAsync(bus => bus.UseInMemory()
        .UseStores(_ => new TestBusStores("scripted", delays: new SilentDelayStore(new InMemoryDelayStore(100), answering)))
        .Publishes<OrderPlaced>());
}
