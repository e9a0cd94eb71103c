using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>
/// Tests Redis at its memory limit, where it refuses writes that need memory. Operations that free memory continue:
/// handling, takeover and trimming.
/// </summary>
public sealed class RedisMemoryTests
{
    private const int Count = 1_000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Backlog_AtTheMemoryLimit_IsHandledByASuccessorAndTrimmed(bool ordered)
    {
        var subscription = TestRedis.Parcels() with { Ordered = ordered };
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis("--appendfsync", "no");
        await server.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true");
        var transport = await redis.StartAsync(
            address: server.Address,
            subscriptions: [subscription],
            configure: options => options.TrimPeriod = TimeSpan.FromMilliseconds(100));
        var first = await redis.SubscribeAsync(transport, subscription);
        foreach (var batch in Enumerable.Range(0, Count).Chunk(50))
        {
            await TestRedis.PublishAcceptedAsync(transport, [.. batch.Select(number => TestRedis.Parcel(number))]);
        }

        await LimitAsync(admin, "1mb");
        Assert.Equal(PublishStatus.Failed, (await TestRedis.PublishAsync(transport, TestRedis.Parcel(Count)))[0].Status);
        await first.DisposeAsync();
        var second = await redis.SubscribeAsync(transport, subscription);
        for (var i = 0; i < Count; i++)
        {
            await (await TestRedis.NextAsync(second)).AckAsync();
        }

        await Until.TrueAsync(
            "the stream is trimmed",
            async () => await admin.GetDatabase().StreamLengthAsync(redis.ParcelStream) <= 100,
            TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Subscribe_AtTheMemoryLimitWithoutAGroup_StartsOnceThereIsMemory()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis();
        await server.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true");
        await LimitAsync(admin, "1mb");

        var transport = await redis.StartAsync(address: server.Address);
        var receiver = await redis.SubscribeAsync(transport);
        Assert.False(await admin.GetDatabase().KeyExistsAsync(redis.ParcelStream));
        await LimitAsync(admin, "0");

        await Until.TrueAsync(
            "the group is created after memory is available",
            () => admin.GetDatabase().KeyExistsAsync(redis.ParcelStream),
            TestContext.Current.CancellationToken);

        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        Assert.Equal("p-1", (await TestRedis.NextAsync(receiver)).Envelope.Id);
    }

    private static Task LimitAsync(ConnectionMultiplexer admin, string maximum) =>
        admin.GetDatabase().ExecuteAsync("CONFIG", "SET", "maxmemory", maximum);
}
