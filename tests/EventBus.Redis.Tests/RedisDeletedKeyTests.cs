using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>
/// Shows that keys that are deleted while the bus runs are created again, so that later events arrive within ten
/// seconds.
/// </summary>
public sealed class RedisDeletedKeyTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("stream", "shared")]
    [InlineData("stream", "ordered")]
    [InlineData("stream", "all")]
    [InlineData("group", "shared")]
    [InlineData("group", "ordered")]
    [InlineData("group", "all")]
    [InlineData("everything", "shared")]
    [InlineData("everything", "ordered")]
    [InlineData("everything", "all")]
    public async Task Stream_DeletedWhileTheBusRuns_IsRecreatedAndNewEventsArriveSoon(string what, string kind)
    {
        await using var redis = await TestRedis.OpenAsync();
        var subscription = kind == "all"
            ? new Subscription("parcels", [EventPattern.Parse("#")])
            : TestRedis.Parcels() with { Ordered = kind == "ordered" };
        var transport = await redis.StartAsync(subscriptions: [subscription]);
        var receiver = await redis.SubscribeAsync(transport, subscription);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        await (await TestRedis.NextAsync(receiver)).AckAsync();

        if (what == "group")
        {
            await redis.Database.StreamDeleteConsumerGroupAsync(redis.ParcelStream, "app:parcels");
        }
        else
        {
            // All keys under the prefix.
            var keys = new List<RedisKey> { redis.ParcelStream };
            await foreach (var key in redis.Admin.GetServers()[0].KeysAsync(
                pattern: what == "stream" ? redis.ParcelStream.ToString() : $"{{{redis.Prefix}}}:*").WithCancellation(Token))
            {
                keys.Add(key);
            }

            await redis.Database.KeyDeleteAsync([.. keys.Distinct()]);
        }

        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(2));
        await ExpectAsync(receiver, "p-2");
        await TestRedis.HealthAsync(transport, HealthStatus.Healthy);
    }

    [Theory]
    [InlineData("known:streams")]
    [InlineData("open:groups")]
    public async Task ListOfTheStreams_Deleted_IsWrittenAgain(string name)
    {
        await using var redis = await TestRedis.OpenAsync();
        var all = new Subscription("parcels", [EventPattern.Parse("#")]);
        var transport = await redis.StartAsync(TimeSpan.FromSeconds(1), subscriptions: [all]);
        var receiver = await redis.SubscribeAsync(transport, all);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        await ExpectAsync(receiver, "p-1");

        RedisKey key = $"{{{redis.Prefix}}}:{name}";
        Assert.True(await redis.Database.KeyDeleteAsync(key));

        await Until.TrueAsync($"{key} is written again", Soon, () => redis.Database.KeyExistsAsync(key), Token);
    }

    private static async Task ExpectAsync(Receiver receiver, string id)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(Soon);
        while (true)
        {
            var delivery = await receiver.Deliveries.ReadAsync(limit.Token);
            await delivery.AckAsync();
            if (delivery.Envelope.Id == id)
            {
                return;
            }
        }
    }
}
