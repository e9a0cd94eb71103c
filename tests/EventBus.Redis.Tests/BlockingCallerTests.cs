using EventBus.Conformance;

namespace EventBus.Redis.Tests;

public sealed class BlockingCallerTests
{
    [Fact]
    public Task Calls_OfABlockedThreadWithAContext_End() => BlockingCaller.RunInContextAsync(OnStreams, sagas: true, log: Canary.Log);

    [Fact]
    public Task Calls_UnderASchedulerOfOneThread_End() => BlockingCaller.RunInSchedulerAsync(OnStreams, sagas: true, log: Canary.Log);

    [Fact]
    public Task Calls_OfABlockedThreadWithAContextOverPubSub_End() => BlockingCaller.RunInContextAsync(
        bus => bus.UseRedisPubSub(TestRedis.Address, options => options.KeyPrefix = Prefix()).AddSaga<BlockingSaga, BlockingState>(),
        sagas: true,
        log: Canary.Log);

    private static void OnStreams(EventBusBuilder bus) =>
        bus.UseRedis(TestRedis.Address, options => options.KeyPrefix = Prefix()).AddSaga<BlockingSaga, BlockingState>();

    private static string Prefix() => $"t{Guid.NewGuid():N}";

    private sealed class BlockingSaga : Saga<BlockingState>
    {
        protected override void Define(SagaBuilder<BlockingState> saga) => saga.Step("wait", async (_, _) => await Task.Yield());
    }
}
