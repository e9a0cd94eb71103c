using EventBus.Conformance;
using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>
/// Shows that a refusal of one event affects no other event, and that a refusal of all events pauses the bus.
/// </summary>
public sealed class UnstorableTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>
    /// Redis closes the connection at an argument beyond its limit. This looks like an outage, and recurs at each
    /// repetition.
    /// </summary>
    [Fact]
    public async Task Body_LargerThanTheLimitOfRedis_IsADeadLetterWithoutItAndOthersContinue()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis("--proto-max-bulk-len", "1mb");
        await server.StartAsync();
        var started = new System.Collections.Concurrent.ConcurrentQueue<int>();
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(Canary.Log);
        builder.Services.AddEventBus(bus => bus
            .UseRedis(TestRedis.Address, options => options.KeyPrefix = redis.Prefix)
            .StoreInRedis(server.Address, options => options.KeyPrefix = redis.Prefix)
            .Retry(1, TimeSpan.FromMilliseconds(10))
            .Configure(options => (options.ServiceName, options.MaxBodyBytes) = ("app", 8 * 1024 * 1024))
            .Subscribe<ParcelWeighed>("mail", (e, _, _) =>
            {
                started.Enqueue(e.Number);
                throw new IOException("down");
            }));
        using var host = builder.Build();
        await host.StartAsync(Token);
        var bus = host.Services.GetRequiredService<IEventBus>();
        var letters = host.Services.GetRequiredService<IDeadLetters>();
        await bus.PublishAsync(new ParcelWeighed(1, new string('x', 1_500_000)), new PublishOptions { EventId = "large" }, Token);
        await bus.PublishAsync(new ParcelWeighed(2, ""), new PublishOptions { EventId = "small" }, Token);

        await Until.TrueAsync("both events are dead letters", async () => await CountAsync(letters) == 2, Token);
        // By now no operation of the event that closes the connection is repeated.
        var found = (await letters.ListAsync(null, Token)).ToDictionary(letter => letter.EventId);
        Assert.Equal((DeadLetterReason.Unstorable, true, 1), (found["large"].Reason, found["large"].Body.IsEmpty, found["large"].Attempts));
        Assert.Equal(
            (DeadLetterReason.HandlerFailed, false, 2),
            (found["small"].Reason, found["small"].Body.IsEmpty, found["small"].Attempts));
        await host.StopAsync(Token);
    }

    [Fact]
    public async Task Record_WhileRedisIsFull_IsRefusedForTheStoreAndNotForTheEntry()
    {
        await using var server = new PrivateRedis();
        await server.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true");
        await using var stores = await TestStores.OpenAsync("full", server.Address);
        await admin.GetServers()[0].ConfigSetAsync("maxmemory", "1");

        var record =
            await Assert.ThrowsAsync<StoreRefusedException>(async () => await stores.Failures.RecordAsync(TestStores.Waiting("1"), Token));
        var claim = await Assert.ThrowsAsync<StoreRefusedException>(
            async () => await stores.Processed.ClaimAsync(new ProcessedKey("mail", "1"), 0, TestStores.Now, TestStores.Lease, Token));
        var delay = await Assert.ThrowsAsync<StoreRefusedException>(
            async () => await stores.Delays.AddAsync(TestStores.Event("1"), TestStores.Now, Token));

        Assert.All([record, claim, delay], refused => Assert.Equal(StoreScope.Store, refused.Scope));
        await admin.GetServers()[0].ConfigSetAsync("maxmemory", "0");
        Assert.True(await stores.Failures.RecordAsync(TestStores.Waiting("1"), Token));
    }

    /// <summary>Counts the dead letters. Each attempt to write the body closes the connection for a moment.</summary>
    private static async Task<long> CountAsync(IDeadLetters letters)
    {
        try
        {
            return await letters.CountAsync(null, Token);
        }
        catch (RedisConnectionException)
        {
            return 0;
        }
    }

    private sealed record ParcelWeighed(int Number, string Text);
}
