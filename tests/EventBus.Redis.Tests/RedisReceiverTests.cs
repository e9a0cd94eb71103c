using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed partial class RedisReceiverTests
{
    [Fact]
    public async Task Deliveries_OfOneStream_ArriveInTheOrderOfTheLog()
    {
        const int Count = 1_000;
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync();
        var receiver = await redis.SubscribeAsync(transport);

        foreach (var batch in Enumerable.Range(0, Count).Chunk(50))
        {
            await TestRedis.PublishAcceptedAsync(transport, [.. batch.Select(number => TestRedis.Parcel(number, "key"))]);
        }

        for (var i = 0; i < Count; i++)
        {
            var delivery = await TestRedis.NextAsync(receiver);
            Assert.Equal($"p-{i}", delivery.Envelope.Id);
            Assert.Equal("key", delivery.Envelope.Key);
            await delivery.AckAsync();
        }

        await receiver.DisposeAsync();
        Assert.Equal(0, await redis.PendingAsync());
    }

    [Fact]
    public async Task Delivery_Released_IsRedeliveredWithItsCount()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync();
        var receiver = await redis.SubscribeAsync(transport);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));

        var first = await TestRedis.NextAsync(receiver);
        await first.ReleaseAsync();
        await first.AckAsync();
        var second = await TestRedis.NextAsync(receiver);

        Assert.Equal("p-1", second.Envelope.Id);
        Assert.Equal((0, 1), (first.EarlierDeliveries, second.EarlierDeliveries));
        Assert.Equal(1, await redis.PendingAsync());
        await second.AckAsync();
    }

    [Fact]
    public async Task Receiver_Disposed_ReleasesUnsettledEntriesToAnotherAtOnce()
    {
        await using var redis = await TestRedis.OpenAsync();
        var leaving = await redis.SubscribeAsync(await redis.StartAsync());
        var publisher = await redis.StartAsync();
        await TestRedis.PublishAcceptedAsync(publisher, [.. Enumerable.Range(0, 10).Select(number => TestRedis.Parcel(number))]);
        var inHandler = await TestRedis.NextAsync(leaving);

        // Ten times the timeout of the test: only a release can be faster.
        var staying = await redis.SubscribeAsync(await redis.StartAsync(claimAfter: TestRedis.Patience * 10));
        await leaving.DisposeAsync();
        await leaving.DisposeAsync();

        Assert.True(inHandler.Lost.IsCancellationRequested);
        var ids = new SortedSet<string>(StringComparer.Ordinal);
        while (ids.Count < 10)
        {
            var delivery = await TestRedis.NextAsync(staying, $"a delivery in addition to {ids.Count}");

            // Entries that were only buffered there count as never delivered.
            Assert.Equal(delivery.Envelope.Id == inHandler.Envelope.Id ? 1 : 0, delivery.EarlierDeliveries);
            ids.Add(delivery.Envelope.Id);
            await delivery.AckAsync();
        }
    }

    [Fact]
    public async Task Delivery_UnsettledForLongerThanTheClaimTime_StaysWithItsRunningOwner()
    {
        var claimAfter = TimeSpan.FromMilliseconds(600);
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync(claimAfter);
        var owner = await redis.SubscribeAsync(transport);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        var delivery = await TestRedis.NextAsync(owner);
        var competitor = await redis.SubscribeAsync(await redis.StartAsync(claimAfter));

        await Assert.ThrowsAsync<TimeoutException>(() => competitor.Deliveries.WaitToReadAsync(TestContext.Current.CancellationToken)
            .AsTask()
            .WaitAsync(claimAfter * 4, TestContext.Current.CancellationToken));

        Assert.False(delivery.Lost.IsCancellationRequested);
        await delivery.AckAsync();
    }

    [Fact]
    public async Task Delivery_OfAnOwnerCutOffFromRedis_IsLostThereAndTakenOver()
    {
        var claimAfter = TimeSpan.FromSeconds(1);
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        var transport = await redis.StartAsync(claimAfter, valve.Address);
        var owner = await redis.SubscribeAsync(transport);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        var delivery = await TestRedis.NextAsync(owner);
        var lost = new TaskCompletionSource();
        await using var registration = delivery.Lost.Register(lost.SetResult);

        valve.Close();
        await redis.KillConnectionsAsync();
        valve.Refuse();
        var competitor = await redis.SubscribeAsync(await redis.StartAsync(claimAfter));
        var again = await TestRedis.NextAsync(competitor);

        Assert.Equal("p-1", again.Envelope.Id);
        Assert.Equal(1, again.EarlierDeliveries);
        await lost.Task.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken);
        await delivery.AckAsync();
        Assert.Equal(1, await redis.PendingAsync());
        await again.AckAsync();
    }

    [Fact]
    public async Task Delivery_ClaimedByAnother_IsLostAndNotClaimedAgain()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync(claimAfter: TimeSpan.FromSeconds(9));
        var receiver = await redis.SubscribeAsync(transport);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        var delivery = await TestRedis.NextAsync(receiver);
        var lost = new TaskCompletionSource();
        await using var registration = delivery.Lost.Register(lost.SetResult);
        var entry = Assert.Single(await redis.Database.StreamPendingMessagesAsync(redis.ParcelStream, "app:parcels", 10, default));

        await redis.Database.StreamClaimIdsOnlyAsync(redis.ParcelStream, "app:parcels", "other", 0, [entry.MessageId]);
        await lost.Task.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken);

        await delivery.AckAsync();
        entry = Assert.Single(await redis.Database.StreamPendingMessagesAsync(redis.ParcelStream, "app:parcels", 10, default));
        Assert.Equal("other", entry.ConsumerName);
    }

    [Fact]
    public async Task Entry_TakenOverWithALostAnswer_CountsTheEarlierDelivery()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        var receiver = await redis.SubscribeAsync(await redis.StartAsync(TimeSpan.FromSeconds(3), valve.Address));

        // The takeover has ended before the connection is closed, so that the next takeover is detected.
        await AbandonAsync("p-0");
        await (await TestRedis.NextAsync(receiver)).AckAsync();
        await Until.TrueAsync(
            "the first entry is acknowledged",
            async () => await redis.PendingAsync() == 0,
            TestContext.Current.CancellationToken);

        valve.Close();
        await AbandonAsync("p-1");
        await Until.TrueAsync(
            "a consumer has taken over the entry",
            async () => (await redis.Database.StreamPendingMessagesAsync(redis.ParcelStream, "app:parcels", 1, default))
                is [{ ConsumerName: var owner }] && owner != "dead",
            TestContext.Current.CancellationToken);

        valve.Cut();
        var delivery = await TestRedis.NextAsync(receiver);

        Assert.Equal(("p-1", 1), (delivery.Envelope.Id, delivery.EarlierDeliveries));
        await delivery.AckAsync();

        // Simulates an instance that read the entry and crashed long ago.
        Task AbandonAsync(string id) => redis.Database.ScriptEvaluateAsync(
            """
            local id = redis.call('XADD', KEYS[1], '*', 'type', 'parcel.sent', 'id', ARGV[2], 'data', '1')
            redis.call('XREADGROUP', 'GROUP', ARGV[1], 'dead', 'STREAMS', KEYS[1], '>')
            redis.call('XCLAIM', KEYS[1], ARGV[1], 'dead', 0, id, 'IDLE', 600000, 'JUSTID')
            """,
            [redis.ParcelStream],
            ["app:parcels", id]);
    }

    [Fact]
    public async Task Receiver_ConnectionKilled_ContinuesWithoutLoss()
    {
        await using var redis = await TestRedis.OpenAsync();
        var receiver = await redis.SubscribeAsync(await redis.StartAsync());
        await redis.KillConnectionsAsync();
        await TestRedis.PublishAcceptedAsync(await redis.StartAsync(), TestRedis.Parcel(1));

        var delivery = await TestRedis.NextAsync(receiver);

        Assert.Equal("p-1", delivery.Envelope.Id);
        await delivery.AckAsync();
    }

    [Fact]
    public async Task Receiver_WithABacklog_BuffersAFewTimesItsConcurrencyAtMost()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync();
        var receiver = await redis.SubscribeAsync(transport, TestRedis.Parcels(concurrency: 2));
        await TestRedis.PublishAcceptedAsync(transport, [.. Enumerable.Range(0, 200).Select(number => TestRedis.Parcel(number))]);

        for (var i = 0; i < 200; i++)
        {
            var delivery = await TestRedis.NextAsync(receiver);
            Assert.InRange(receiver.Deliveries.Count, 0, 10);
            await delivery.AckAsync();
        }
    }

    [Fact]
    public async Task Entry_OfAnotherProgram_IsDeliveredWithDefaults()
    {
        await using var redis = await TestRedis.OpenAsync();
        var receiver = await redis.SubscribeAsync(await redis.StartAsync());

        var entry = await redis.Database.StreamAddAsync(redis.ParcelStream, [new("type", "parcel.sent"), new("data", """{"Number":7}""")]);
        var envelope = (await TestRedis.NextAsync(receiver)).Envelope;

        Assert.Null(envelope.Defect);
        Assert.Equal(($"parcel/{entry}", "parcel.sent", 1), (envelope.Id, envelope.Name, envelope.Version));
        Assert.Equal((null, "application/json", DateTimeOffset.UnixEpoch), (envelope.Key, envelope.ContentType, envelope.Time));
        Assert.Equal("""{"Number":7}"""u8.ToArray(), envelope.Body.ToArray());
    }

    [Theory]
    [InlineData("note", "hello", "'type'")]
    [InlineData("type", "No Event Name", "'type'")]
    [InlineData("eventversion", "zero", "'eventversion'")]
    [InlineData("time", "yesterday", "'time'")]
    public async Task Entry_ThatCannotBeRead_IsDeliveredWithItsDefect(string field, string value, string expected)
    {
        await using var redis = await TestRedis.OpenAsync();
        var receiver = await redis.SubscribeAsync(await redis.StartAsync());

        var type = field is "note" or "type" ? [] : new StackExchange.Redis.NameValueEntry[] { new("type", "parcel.sent") };
        await redis.Database.StreamAddAsync(redis.ParcelStream, [.. type, new(field, value), new("data", "raw")]);
        var delivery = await TestRedis.NextAsync(receiver);

        Assert.Contains(expected, delivery.Envelope.Defect, StringComparison.Ordinal);
        Assert.Equal("raw"u8.ToArray(), delivery.Envelope.Body.ToArray());
        await delivery.AckAsync();
    }

    [Fact]
    public async Task Entry_OfANameThatNoPatternMatches_IsAcknowledgedWithoutAHandler()
    {
        await using var redis = await TestRedis.OpenAsync();
        var narrow = new Subscription("parcels", [EventPattern.Parse("parcel.sent")]);
        var transport = await redis.StartAsync(subscriptions: [narrow]);
        var receiver = await redis.SubscribeAsync(transport, narrow);

        await TestRedis.PublishAcceptedAsync(
            transport,
            new Envelope(new EnvelopeAttributes { Id = "other", Name = "parcel.lost" }, [(byte)'1']),
            TestRedis.Parcel(1));
        var delivery = await TestRedis.NextAsync(receiver);

        Assert.Equal("p-1", delivery.Envelope.Id);
        await delivery.AckAsync();
        await receiver.DisposeAsync();
        Assert.Equal(0, await redis.PendingAsync());
    }

    private static Envelope Event(string name) => new(new EnvelopeAttributes { Id = Guid.NewGuid().ToString(), Name = name }, [(byte)'1']);
}
