using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

public sealed class BlockingCallerTests
{
    [Fact]
    public Task Calls_OfABlockedThreadWithAContext_End() =>
        BlockingCaller.RunInContextAsync(bus => bus.UseInMemory().StoreInMemory().AddSaga<BlockingSaga, BlockingState>(), sagas: true);

    [Fact]
    public Task Calls_UnderASchedulerOfOneThread_End() =>
        BlockingCaller.RunInSchedulerAsync(bus => bus.UseInMemory().StoreInMemory().AddSaga<BlockingSaga, BlockingState>(), sagas: true);

    [Fact]
    public async Task Calls_FromTheContextOfTheBus_StayInIt()
    {
        // Bus calls must not post a continuation to this context.
        var home = new CountingContext();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory(o => o.Capacity = 1)
                .Subscribe("slow", s => s.On<OrderPlaced>((_, _, _) => Task.CompletedTask).Concurrency(1)),
            services: services => services.AddSingleton(new CallerContext { Home = home }));

        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(home);
        Task publishing;
        try
        {
            publishing = running.Bus.PublishManyAsync(
                [.. Enumerable.Range(0, 500).Select(i => new OrderPlaced("x"))],
                cancellationToken: CancellationToken.None);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }

        await publishing;
        Assert.True(home.Posts > 0, "No continuation returned to the context of the caller.");
    }

    private sealed class CountingContext : SynchronizationContext
    {
        private int posts;

        public int Posts => posts;

        public override void Post(SendOrPostCallback d, object? state)
        {
            Interlocked.Increment(ref posts);
            base.Post(_ =>
            {
                SetSynchronizationContext(this);
                d(state);
            }, null);
        }
    }

    private sealed class BlockingSaga : Saga<BlockingState>
    {
        protected internal override void Define(SagaBuilder<BlockingState> saga) => saga.Step("wait", async (_, _) => await Task.Yield());
    }
}
