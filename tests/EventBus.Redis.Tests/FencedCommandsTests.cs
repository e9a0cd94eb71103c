using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class FencedCommandsTests
{
    [Fact]
    public async Task Command_WithTheLeaseOfAnother_IsRefusedAndChangesNothing()
    {
        await using var redis = await TestRedis.OpenAsync();
        RedisKey lease = $"{{{redis.Prefix}}}:lease:app:parcels";
        await redis.Database.StringSetAsync(lease, "theirs");
        await redis.Database.StreamCreateConsumerGroupAsync(redis.ParcelStream, "app:parcels", "$");
        await redis.Database.StreamAddAsync(redis.ParcelStream, "type", "parcel.sent");
        var fence = new FencedCommands(lease, "app:parcels", "me");

        Assert.True(FencedCommands.IsFenced(
            await Assert.ThrowsAsync<RedisServerException>(() => fence.ReadNewAsync(redis.Database, "mine", [redis.ParcelStream], 10))));
        Assert.Equal(0, await redis.PendingAsync());
        await redis.Database.StreamReadGroupAsync(redis.ParcelStream, "app:parcels", "they", ">", 1);
        Assert.True(FencedCommands.IsFenced(await Assert.ThrowsAsync<RedisServerException>(
            () => fence.TakeOverAsync(redis.Database, "mine", redis.ParcelStream, RedisGroup.Start, 10))));
        Assert.Equal(
            "they",
            Assert.Single(await redis.Database.StreamPendingMessagesAsync(redis.ParcelStream, "app:parcels", 10, default)).ConsumerName);
    }
}
