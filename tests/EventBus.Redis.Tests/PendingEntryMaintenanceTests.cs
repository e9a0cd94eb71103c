using EventBus.Transports;

namespace EventBus.Redis.Tests;

public sealed class PendingEntryMaintenanceTests
{
    [Fact]
    public async Task Receiver_OfManyStreams_SharesItsCapacityAmongThem()
    {
        const int Streams = 20, Each = 30;
        await using var redis = await TestRedis.OpenAsync();
        var all = new Subscription("all", [.. Enumerable.Range(0, Streams).Select(i => EventPattern.Parse($"s{i}.#"))]) { Concurrency = 2 };
        var transport = await redis.StartAsync(subscriptions: [all]);
        await (await redis.SubscribeAsync(transport, all)).DisposeAsync();
        foreach (var stream in Enumerable.Range(0, Streams))
        {
            await TestRedis.PublishAcceptedAsync(transport, [.. Enumerable.Range(0, Each)
                .Select(i => new Envelope(new EnvelopeAttributes { Id = $"{stream}/{i}", Name = $"s{stream}.sent" }, [(byte)'1']))]);
        }

        var receiver = await redis.SubscribeAsync(transport, all);
        for (var i = 0; i < Streams * Each; i++)
        {
            var delivery = await TestRedis.NextAsync(receiver);

            // The capacity of the receiver, and one more entry of each stream.
            Assert.InRange(receiver.Deliveries.Count, 0, 8 + Streams);
            await delivery.AckAsync();
        }
    }

    [Fact]
    public async Task Delivery_OfAnOwnerThatCannotRenew_IsLostBeforeAnotherHasIt()
    {
        var claimAfter = TimeSpan.FromSeconds(3);
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        var owner = await redis.SubscribeAsync(await redis.StartAsync(claimAfter, valve.Address));
        var others = await redis.StartAsync(claimAfter);
        await TestRedis.PublishAcceptedAsync(others, TestRedis.Parcel(1));
        var delivery = await TestRedis.NextAsync(owner);
        var competitor = await redis.SubscribeAsync(others);

        valve.Close();
        await redis.KillConnectionsAsync();
        valve.Refuse();
        await TestRedis.NextAsync(competitor);

        Assert.True(delivery.Lost.IsCancellationRequested);
    }

    [Fact]
    public async Task Entry_BehindManyOfOtherConsumers_IsTakenOver()
    {
        const int Held = 200;
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync();
        await (await redis.SubscribeAsync(transport)).DisposeAsync();
        for (var i = 0; i <= Held; i++)
        {
            await redis.Database.StreamAddAsync(redis.ParcelStream, [new("type", "parcel.sent"), new("id", $"p-{i}"), new("data", "1")]);
        }

        await redis.Database.StreamReadGroupAsync(redis.ParcelStream, "app:parcels", "busy", ">", Held);
        var abandoned = Assert.Single(await redis.Database.StreamReadGroupAsync(redis.ParcelStream, "app:parcels", "dead", ">", 1));
        await redis.Database.ExecuteAsync("XCLAIM", redis.ParcelStream, "app:parcels", "dead", 0, abandoned.Id, "IDLE", 600_000, "JUSTID");

        var receiver = await redis.SubscribeAsync(transport, TestRedis.Parcels(concurrency: 1));

        Assert.Equal($"p-{Held}", (await TestRedis.NextAsync(receiver)).Envelope.Id);
    }

    [Fact]
    public async Task Entry_InTheStreamOfOtherEvents_IsSkippedAndReported()
    {
        await using var redis = await TestRedis.OpenAsync();
        var receiver = await redis.SubscribeAsync(await redis.StartAsync());

        await redis.Database.StreamAddAsync(redis.ParcelStream, [new("type", "letter.sent"), new("data", "1")]);

        var line = await redis.Log.LineAsync("the subscriptions to this event read the stream");
        Assert.Contains("letter.sent", line, StringComparison.Ordinal);
        Assert.False(receiver.Deliveries.TryPeek(out _));
    }

    [Fact]
    public async Task Consumer_OfACrashedInstance_IsRemovedOnceNothingIsPendingForIt()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync(TimeSpan.FromMilliseconds(300));
        var receiver = await redis.SubscribeAsync(transport);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        await redis.Database.ExecuteAsync("XGROUP", "CREATECONSUMER", redis.ParcelStream, "app:parcels", "dead");
        await (await TestRedis.NextAsync(receiver)).AckAsync();

        string[] names = [];
        await Until.TrueAsync(
            "the dead consumer is removed",
            async () =>
            {
                names = [.. (await redis.Database.StreamConsumerInfoAsync(redis.ParcelStream, "app:parcels")).Select(it => it.Name)];
                return !names.Contains("dead");
            },
            TestContext.Current.CancellationToken);
        Assert.Single(names);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LogProvider_ThatFails_EndsNoReadLoop(bool ordered)
    {
        await using var redis = await TestRedis.OpenAsync();
        using var logs = new FailingLogs();
        var subscription = TestRedis.Parcels() with { Ordered = ordered };
        var receiver = await redis.SubscribeAsync(
            await redis.StartAsync(subscriptions: [subscription], log: BackendLog.Create(logs, "EventBus.Redis")),
            subscription);

        await redis.KillConnectionsAsync();
        await TestRedis.PublishAcceptedAsync(await redis.StartAsync(), TestRedis.Parcel(1));

        await (await TestRedis.NextAsync(receiver)).AckAsync();
    }

    [Fact]
    public async Task Receiver_DisposedAfterItsTransport_LeavesNoConnection()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync();
        var receiver = await redis.SubscribeAsync(transport);

        await transport.DisposeAsync();
        await receiver.DisposeAsync();

        await redis.UntilConnectedAsync(count => count == 0);
    }
}
