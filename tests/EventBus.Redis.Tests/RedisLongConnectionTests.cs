namespace EventBus.Redis.Tests;

/// <summary>
/// Tests a connection with a high latency, as between continents. The class is separate so that its tests run in
/// parallel with others.
/// </summary>
public sealed class RedisLongConnectionTests
{
    [Theory]
    [InlineData(0.3)]
    [InlineData(1.5)]
    public async Task Throughput_OverASlowConnectionAfterAReconnect_Recovers(double delay)
    {
        const int Count = 200;
        await using var redis = await TestRedis.OpenAsync();
        await using var proxy = TestRedis.NewProxy();
        var receiver = await redis.SubscribeAsync(await redis.StartAsync(address: TestRedis.Through(proxy.Port)));
        var publisher = await redis.StartAsync();

        // The receiver must have read once: it reports a recovery only for a connection that was lost while it read.
        await TestRedis.PublishAcceptedAsync(publisher, [TestRedis.Parcel(Count)]);
        await TestRedis.TakeAllAsync(receiver, 1, TestRedis.Patience);
        proxy.Sever();
        await redis.Log.LineAsync("reads from Redis again");
        proxy.ToClient.Delay = TimeSpan.FromSeconds(delay);
        await TestRedis.PublishAcceptedAsync(
            publisher,
            [.. Enumerable.Range(0, Count).Select(number => TestRedis.Parcel(number))]);

        await TestRedis.TakeAllAsync(receiver, Count, TimeSpan.FromSeconds(15 + (30 * delay)));
    }
}
