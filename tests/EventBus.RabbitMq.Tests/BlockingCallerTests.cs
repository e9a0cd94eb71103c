using EventBus.Conformance;

namespace EventBus.RabbitMq.Tests;

public sealed class BlockingCallerTests
{
    [Fact]
    public Task Calls_OfABlockedThreadWithAContext_End() =>
        BlockingCaller.RunInContextAsync(Alone(TestBroker.NewName()), keyed: false, log: Canary.Log);

    [Fact]
    public Task Calls_OfABlockedThreadWithAContextAndAStore_End() =>
        BlockingCaller.RunInContextAsync(
            Alone(TestBroker.NewName()) + (bus => bus.StoreInMemory().AddSaga<BlockingSaga, BlockingState>()),
            sagas: true,
            log: Canary.Log);

    [Fact]
    public Task Calls_UnderASchedulerOfOneThread_End() =>
        BlockingCaller.RunInSchedulerAsync(Alone(TestBroker.NewName()), keyed: false, log: Canary.Log);

    private static Action<EventBusBuilder> Alone(string name) =>
        bus => bus.UseRabbitMq(TestBroker.Uri.AbsoluteUri, options => options.Exchange = name)
            .Configure(options => options.ServiceName = name);

    private sealed class BlockingSaga : Saga<BlockingState>
    {
        protected override void Define(SagaBuilder<BlockingState> saga) => saga.Step("wait", async (_, _) => await Task.Yield());
    }
}
