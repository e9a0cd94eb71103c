using EventBus.Transports;

namespace EventBus.Redis.Tests;

public sealed class RedisLeaseTests
{
    [Fact]
    public async Task Release_WhileATakeIsInTransit_LeavesNoLease()
    {
        await using var redis = await TestRedis.OpenAsync();
        var lease = LeaseOf(redis);

        var taking = lease.TryTakeAsync();
        var releasing = lease.ReleaseAsync();

        Assert.NotNull(await taking);
        await releasing;
        Assert.False(await redis.Database.KeyExistsAsync(lease.Key));
    }

    [Fact]
    public async Task Release_ByAnInstanceThatDoesNotHoldTheLease_LeavesItToItsHolder()
    {
        await using var redis = await TestRedis.OpenAsync();
        var holder = LeaseOf(redis);
        var other = LeaseOf(redis);
        var taken = await holder.TryTakeAsync();

        await other.ReleaseAsync();

        Assert.Equal(taken!.Value.Token, (string?)await redis.Database.StringGetAsync(holder.Key));
    }

    private static RedisLease LeaseOf(TestRedis redis)
    {
        var names = new RedisTopology(
            new RedisOptions { KeyPrefix = redis.Prefix },
            new TransportTopology("app", [TestRedis.Parcels()], ["parcel.sent"], TimeProvider.System));
        return new RedisLease(redis.Database, names, "app:parcels", RedisTopology.NewConsumer(), TestRedis.Patience * 10);
    }
}
