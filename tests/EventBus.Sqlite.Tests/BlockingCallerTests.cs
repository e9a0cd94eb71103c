namespace EventBus.Sqlite.Tests;

public sealed class BlockingCallerTests
{
    [Fact]
    public async Task Calls_OfABlockedThreadWithAContext_End()
    {
        using var folder = new TestFolder();
        await BlockingCaller.RunInContextAsync(
            bus => bus.UseInMemory().StoreInSqlite($"Data Source={folder["bus.db"]}").AddSaga<BlockingSaga, BlockingState>(),
            sagas: true);
    }

    [Fact]
    public async Task Calls_UnderASchedulerOfOneThread_End()
    {
        using var folder = new TestFolder();
        await BlockingCaller.RunInSchedulerAsync(
            bus => bus.UseInMemory().StoreInSqlite($"Data Source={folder["bus.db"]}").AddSaga<BlockingSaga, BlockingState>(),
            sagas: true);
    }

    private sealed class BlockingSaga : Saga<BlockingState>
    {
        protected override void Define(SagaBuilder<BlockingState> saga) => saga.Step("wait", async (_, _) => await Task.Yield());
    }
}
