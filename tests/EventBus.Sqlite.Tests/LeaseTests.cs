using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

/// <summary>
/// Tests two instances that share a file, with a handler that runs for longer than the lease of its event.
/// </summary>
public sealed class LeaseTests : IDisposable
{
    private const int Leases = 2;

    private static readonly TimeSpan ShortLease = TimeSpan.FromSeconds(2);

    private readonly TestFolder folder = new();
    private readonly TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource finish = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int starts;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        finish.TrySetResult();
        folder.Dispose();
    }

    [Fact]
    public async Task Handler_IdempotentAndLongerThanItsLease_MakesACopyOnAnotherInstanceWaitAndSkip()
    {
        using var first = await StartAsync(s => s.Idempotent(), startsToFail: 0);
        using var second = await StartAsync(s => s.Idempotent(), startsToFail: 0);
        await PublishAsync(first);
        await begun.Task.WaitAsync(Patience, Token);
        await PublishAsync(second);
        await WaitForLeaseExpiryAsync();
        Assert.Equal(1, Volatile.Read(ref starts));

        finish.SetResult();
        await BusOf(first).WhenIdleAsync(Patience, Token);
        await BusOf(second).WhenIdleAsync(Patience, Token);
        Assert.Equal(1, Volatile.Read(ref starts));
        await Task.WhenAll(first.StopAsync(Token), second.StopAsync(Token));
    }

    [Fact]
    public async Task Retry_LongerThanItsLease_IsNotTakenOverByAnotherInstance()
    {
        using var first = await StartAsync(_ => { }, startsToFail: 1);
        using var second = await StartAsync(_ => { }, startsToFail: 1);
        await PublishAsync(first);
        await begun.Task.WaitAsync(Patience, Token);
        await WaitForLeaseExpiryAsync();
        Assert.Equal(2, Volatile.Read(ref starts));

        finish.SetResult();
        await BusOf(first).WhenIdleAsync(Patience, Token);
        await BusOf(second).WhenIdleAsync(Patience, Token);
        Assert.Equal(2, Volatile.Read(ref starts));
        await Task.WhenAll(first.StopAsync(Token), second.StopAsync(Token));
    }

    /// <summary>Waits as long as several leases of that length take to expire one after the other.</summary>
    private async Task WaitForLeaseExpiryAsync()
    {
        await using var stores = await OpenAsync(folder["bus.db"]);
        var ended = -1;
        await Until.TrueAsync(
            "leases without renewal expire",
            async () =>
            {
                var claim = await stores.Processed.ClaimAsync(
                    new ProcessedKey("measure", "1"),
                    0,
                    TimeProvider.System.GetUtcNow(),
                    ShortLease,
                    Token);
                ended += claim.State == ProcessedState.New ? 1 : 0;
                return ended == Leases;
            },
            Token);
    }

    private static IEventBus BusOf(IHost host) => host.Services.GetRequiredService<IEventBus>();

    private static Task PublishAsync(IHost host) =>
        BusOf(host).PublishAsync(new LeaseTried(1), new PublishOptions { EventId = "one" }, Token);

    private async Task<IHost> StartAsync(Action<SubscriptionBuilder> configure, int startsToFail)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddEventBus(bus => bus.UseInMemory().StoreInSqlite($"Data Source={folder["bus.db"]}").Retry(3, TimeSpan.Zero)
            .Configure(options => (options.ServiceName, options.Lease) = ("shop", ShortLease))
            .Subscribe("mail", s =>
            {
                s.On<LeaseTried>(async (_, _, _) =>
                {
                    if (Interlocked.Increment(ref starts) <= startsToFail)
                    {
                        throw new IOException("The first attempt fails.");
                    }

                    begun.TrySetResult();
                    await finish.Task;
                });
                configure(s);
            }));
        var host = builder.Build();
        await host.StartAsync(Token);
        return host;
    }
}
