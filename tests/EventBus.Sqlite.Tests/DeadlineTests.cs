using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Sqlite.Tests;

/// <summary>Tests calls that wait behind the effect of another event in the single transaction of the writer.</summary>
public sealed class DeadlineTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMilliseconds(300);

    private readonly TestFolder folder = new();
    private readonly TaskCompletionSource effectStarted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource go = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Calls_BehindAnEffect_EndAtTheirDeadlineWithoutEffect()
    {
        using var host = await StartAsync();
        var (bus, sagas) = (host.Services.GetRequiredService<IEventBus>(), host.Services.GetRequiredService<ISagas>());

        var delayed = await Assert.ThrowsAsync<PublishException>(() => bus.PublishAsync(
            new Ping(2),
            new PublishOptions { NotBefore = DateTimeOffset.UtcNow.AddHours(1), Timeout = Deadline },
            Token).WaitAsync(TestStores.Patience, Token));
        var many = await Assert.ThrowsAsync<PublishManyException>(() => bus.PublishManyAsync(
            [new Ping(3), new Ping(4)],
            new PublishOptions { NotBefore = DateTimeOffset.UtcNow.AddHours(1), Timeout = Deadline },
            Token).WaitAsync(TestStores.Patience, Token));
        var saga = await Assert.ThrowsAsync<EventBusException>(
            () => sagas.StartAsync(new Errand(), "errand-1", Token).WaitAsync(TestStores.Patience, Token));
        Assert.False(go.Task.IsCompleted);

        // Both calls were withdrawn while they waited, and are never executed.
        Assert.Equal(PublishFailure.Failed, delayed.Failure);
        Assert.Equal([PublishFailure.Failed, PublishFailure.Failed], many.Items.Select(item => item?.Failure));
        Assert.Contains("was not started", saga.Message, StringComparison.Ordinal);
        go.SetResult();
        await host.StopAsync(Token);
        await using var stores = await TestStores.OpenAsync(folder["bus.db"]);
        Assert.Equal(0, await stores.Delays.CountAsync(Token));
        Assert.Null(await stores.Sagas.FindAsync("errand-1", Token));
    }

    private async Task<IHost> StartAsync()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddEventBus(bus => bus.UseInMemory()
            .StoreInSqlite(TestStores.ConnectionString(folder["bus.db"]))
            .Configure(options => (options.ServiceName, options.PublishTimeout) = ("shop", Deadline))
            .AddSaga<ErrandSaga, Errand>()
            .Subscribe("slow", s => s.On<Ping>((_, context, _) =>
            {
                context.OnCommit(async (_, _) =>
                {
                    effectStarted.TrySetResult();
                    await go.Task;
                });
                return Task.CompletedTask;
            }).Idempotent()));
        var host = builder.Build();
        await host.StartAsync(Token);
        await host.Services.GetRequiredService<IEventBus>().PublishAsync(new Ping(1), Token);
        await effectStarted.Task.WaitAsync(TestStores.Patience, Token);
        return host;
    }

    [EventName("ping.sent")]
    private sealed record Ping(int Number);

    private sealed record Errand;

    private sealed class ErrandSaga : Saga<Errand>
    {
        protected override void Define(SagaBuilder<Errand> saga) => saga.Step("go", (_, _) => Task.CompletedTask);
    }
}
