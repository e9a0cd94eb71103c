using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>Tests what is reported as lost when a group is missing in its stream.</summary>
public sealed class RedisGroupCreationTests
{
    [Fact]
    public async Task Create_EntriesWereReadAndTheStreamHasThem_ReportsNoLoss()
    {
        await using var redis = await TestRedis.OpenAsync();
        var group = GroupOf(redis);
        group.RecordRead(redis.ParcelStream, await AddEntryAsync(redis));

        await CreationOf(redis, group).CreateAsync(redis.ParcelStream, existed: false, RedisGroup.End);

        Assert.Single(await redis.Database.StreamGroupInfoAsync(redis.ParcelStream));
        Assert.DoesNotContain(redis.Log.Lines, line => line.Contains("has lost events", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Create_EntriesWereReadAndTheStreamEndsBefore_ReportsTheLossOnce()
    {
        await using var redis = await TestRedis.OpenAsync();
        var group = GroupOf(redis);
        await AddEntryAsync(redis);
        group.RecordRead(redis.ParcelStream, "9999999999999-5");

        await CreationOf(redis, group).CreateAsync(redis.ParcelStream, existed: true, RedisGroup.End);

        Assert.Contains("the group had reached 9999999999999-5", await redis.Log.LineAsync("has lost events"), StringComparison.Ordinal);
        Assert.Null(group.LastRead(redis.ParcelStream));
    }

    private static Task<RedisValue> AddEntryAsync(TestRedis redis) =>
        redis.Database.StreamAddAsync(redis.ParcelStream, [new("type", "parcel.sent"), new("data", "{}")]);

    private static RedisGroup GroupOf(TestRedis redis) =>
        new(redis.Database, "app:parcels", RedisTopology.NewConsumer(), [redis.ParcelStream], TestRedis.Patience);

    private static RedisGroupCreation CreationOf(TestRedis redis, RedisGroup group)
    {
        var names = new RedisTopology(
            new RedisOptions { KeyPrefix = redis.Prefix },
            new TransportTopology("app", [TestRedis.Parcels()], ["parcel.sent"], TimeProvider.System));
        return new RedisGroupCreation(group, new RedisStreamCatalog(redis.Database, names, redis.Log), redis.Log);
    }
}
