using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed partial class RedisReceiverTests
{
    [Fact]
    public async Task Receiver_GroupDeleted_IsRecreatedAndMissesNothing()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync();
        var receiver = await redis.SubscribeAsync(transport);

        await redis.Database.KeyDeleteAsync(redis.ParcelStream);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));

        Assert.Equal("p-1", (await TestRedis.NextAsync(receiver)).Envelope.Id);
    }

    [Fact]
    public async Task Receiver_GroupDestroyed_StartsAtTheRecordedPosition()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync(claimAfter: TimeSpan.FromSeconds(1));
        var receiver = await redis.SubscribeAsync(transport);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(0), TestRedis.Parcel(1));
        await (await TestRedis.NextAsync(receiver)).AckAsync();
        await (await TestRedis.NextAsync(receiver)).AckAsync();
        var last = (await redis.Database.StreamInfoAsync(redis.ParcelStream)).LastGeneratedId;
        await redis.WaitForPositionAsync(place => place == last);

        await redis.Database.StreamDeleteConsumerGroupAsync(redis.ParcelStream, "app:parcels");
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(2));

        Assert.Equal("p-2", (await TestRedis.NextAsync(receiver)).Envelope.Id);
    }

    [Fact]
    public async Task Receiver_GroupDestroyedWhileNoInstanceRuns_MissesNothing()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync();
        var first = await redis.SubscribeAsync(transport);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(0));
        await (await TestRedis.NextAsync(first)).AckAsync();
        await first.DisposeAsync();
        await redis.Database.StreamDeleteConsumerGroupAsync(redis.ParcelStream, "app:parcels");
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));

        var second = await redis.SubscribeAsync(transport);

        // The redelivery of entry 0 depends on when the position was stored.
        var delivery = await TestRedis.NextAsync(second);
        delivery = delivery.Envelope.Id == "p-0" ? await TestRedis.NextAsync(second) : delivery;
        Assert.Equal("p-1", delivery.Envelope.Id);
    }

    [Fact]
    public async Task Receiver_ServerFlushed_ContinuesAndReportsTheLoss()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis();
        await server.StartAsync();
        var transport = await redis.StartAsync(address: server.Address);
        var receiver = await redis.SubscribeAsync(transport);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(0));
        await (await TestRedis.NextAsync(receiver)).AckAsync();

        await server.FlushAsync();
        await redis.Log.LineAsync("has lost events of the stream");
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));

        Assert.Equal("p-1", (await TestRedis.NextAsync(receiver)).Envelope.Id);
    }

    [Theory]
    [InlineData("*.sent", false)]
    [InlineData("#", true)]
    public async Task Wildcard_StreamsThatAppearLater_AreReadFromTheirFirstEntry(string pattern, bool ordered)
    {
        await using var redis = await TestRedis.OpenAsync();
        var all = new Subscription("all", [EventPattern.Parse(pattern)]) { Ordered = ordered };
        var receiver = await redis.SubscribeAsync(await redis.StartAsync(subscriptions: [all]), all);
        var publisher = await redis.StartAsync();

        await TestRedis.PublishAcceptedAsync(publisher, Event("letter.sent"), Event("letter.sent"));
        await redis.Database.StreamAddAsync($"{{{redis.Prefix}}}:card", [new("type", "card.sent"), new("data", "1")]);
        var names = new List<string>();
        while (names.Count < 3)
        {
            var delivery = await TestRedis.NextAsync(receiver);
            names.Add(delivery.Envelope.Name);
            await delivery.AckAsync();
        }

        Assert.Equal(["card.sent", "letter.sent", "letter.sent"], names.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Wildcard_StreamCreatedWhileNoInstanceRan_IsReadFromItsFirstEntryAndAnOlderOneIsNot()
    {
        await using var redis = await TestRedis.OpenAsync();
        var all = new Subscription("all", [EventPattern.Parse("*.sent")]);
        var transport = await redis.StartAsync(subscriptions: [all]);
        await TestRedis.PublishAcceptedAsync(transport, Event("card.sent"));
        await (await redis.SubscribeAsync(transport, all)).DisposeAsync();
        await TestRedis.PublishAcceptedAsync(transport, Event("letter.sent"));

        var again = await redis.SubscribeAsync(transport, all);

        Assert.Equal("letter.sent", (await TestRedis.NextAsync(again)).Envelope.Name);
        Assert.Empty(await redis.Database.StreamPendingMessagesAsync($"{{{redis.Prefix}}}:card", "app:all", 10, default));
    }
}
