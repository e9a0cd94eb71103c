using EventBus.Stores;
using EventBus.Transports;

namespace EventBus.Redis.Tests;

/// <summary>
/// Tests a connection that transmits a megabyte a second: each answer takes longer than the heartbeat timeout of the
/// client.
/// </summary>
public sealed class RedisSlowConnectionTests
{
    private const int Rate = 1024 * 1024;

    private static readonly TimeSpan Long = TimeSpan.FromSeconds(40);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false, 32, 256)]
    [InlineData(true, 32, 256)]
    [InlineData(false, 1, 8 * 1024)]
    [InlineData(true, 1, 8 * 1024)]
    public async Task Backlog_SlowerThanTheTimeout_IsDeliveredAndTheConnectionStaysOpen(bool ordered, int count, int kilobytes)
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var proxy = TestRedis.NewProxy();
        var subscription = TestRedis.Parcels() with { Ordered = ordered };
        await PublishBacklogAsync(redis, subscription, count, kilobytes);

        var receiver = await redis.SubscribeAsync(
            await redis.StartAsync(address: TestRedis.Through(proxy.Port), subscriptions: [subscription]),
            subscription);
        proxy.ToClient.BytesPerSecond = Rate;
        for (var i = 0; i < count; i++)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
            limit.CancelAfter(Long);
            var arrived = await Record.ExceptionAsync(async () => await receiver.Deliveries.WaitToReadAsync(limit.Token)) is null;
            Assert.True(arrived, $"No event arrived after {i} events. {string.Join(" | ", redis.Log.Lines)}");
            Assert.True(receiver.Deliveries.TryRead(out var delivery));
            Assert.Equal($"p-{i}", delivery.Envelope.Id);
            Assert.Equal(0, delivery.EarlierDeliveries);
            await delivery.AckAsync();
        }

        Assert.DoesNotContain(redis.Log.Lines, line => line.Contains("cannot read from Redis", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Entry_LargeAndOfACrashedInstance_IsTakenOver()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var proxy = TestRedis.NewProxy();
        await PublishBacklogAsync(redis, TestRedis.Parcels(), 1, 8 * 1024);
        var entry = Assert.Single(await redis.Database.StreamReadGroupAsync(redis.ParcelStream, "app:parcels", "dead", ">", 1));
        await redis.Database.ExecuteAsync("XCLAIM", redis.ParcelStream, "app:parcels", "dead", 0, entry.Id, "IDLE", 600_000, "JUSTID");

        proxy.ToClient.BytesPerSecond = Rate;
        var receiver = await redis.SubscribeAsync(await redis.StartAsync(address: TestRedis.Through(proxy.Port)));
        var delivery = await receiver.Deliveries.ReadAsync(Token).AsTask().WaitAsync(Long, Token);

        Assert.Equal(("p-0", 1), (delivery.Envelope.Id, delivery.EarlierDeliveries));
        await delivery.AckAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Entry_TransmittedForLongerThanClaimAfter_StaysWithItsOwner(bool taken)
    {
        var claimAfter = TimeSpan.FromSeconds(3);
        await using var redis = await TestRedis.OpenAsync();
        await using var proxy = TestRedis.NewProxy();
        await PublishBacklogAsync(redis, TestRedis.Parcels(), 1, 8 * 1024);
        if (taken)
        {
            var entry = Assert.Single(await redis.Database.StreamReadGroupAsync(redis.ParcelStream, "app:parcels", "dead", ">", 1));
            await redis.Database.ExecuteAsync("XCLAIM", redis.ParcelStream, "app:parcels", "dead", 0, entry.Id, "IDLE", 600_000, "JUSTID");
        }

        var transport = await redis.StartAsync(claimAfter, TestRedis.Through(proxy.Port));
        proxy.ToClient.BytesPerSecond = Rate;
        var owner = await redis.SubscribeAsync(transport);
        await redis.UntilOwnedAsync(consumer => consumer != "dead");
        var competitor = await redis.SubscribeAsync(await redis.StartAsync(claimAfter));
        var delivery = await owner.Deliveries.ReadAsync(Token).AsTask().WaitAsync(Long, Token);

        Assert.Equal(
            ("p-0", taken ? 1 : 0, false),
            (delivery.Envelope.Id, delivery.EarlierDeliveries, delivery.Lost.IsCancellationRequested));
        Assert.False(competitor.Deliveries.TryPeek(out _));
        await delivery.AckAsync();
        Assert.DoesNotContain(redis.Log.Lines, line => line.Contains("no longer owns", StringComparison.Ordinal));
    }

    [Fact]
    public async Task TakeOver_OnAnIdleSubscription_NeedsNoNewEvents()
    {
        const int Count = 100;
        await using var redis = await TestRedis.OpenAsync();
        await PublishBacklogAsync(redis, TestRedis.Parcels(), Count, 1);
        foreach (var entry in await redis.Database.StreamReadGroupAsync(redis.ParcelStream, "app:parcels", "dead", ">", Count))
        {
            await redis.Database.ExecuteAsync("XCLAIM", redis.ParcelStream, "app:parcels", "dead", 0, entry.Id, "IDLE", 600_000, "JUSTID");
        }

        await TestRedis.TakeAllAsync(await redis.SubscribeAsync(await redis.StartAsync()), Count, TimeSpan.FromSeconds(15));
    }

    [Fact]
    public async Task Publish_SlowerThanTheHeartbeat_IsAccepted()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var proxy = TestRedis.NewProxy();
        var transport = await redis.StartAsync(address: TestRedis.Through(proxy.Port));
        proxy.ToServer.BytesPerSecond = Rate;
        using var deadline = new CancellationTokenSource(Long, TimeProvider.System);
        var outcomes = new PublishOutcome[8];

        await transport.PublishAsync(Enumerable.Range(0, 8).Select(number => Large(number, 1024)).ToArray(), outcomes, deadline.Token);

        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.Accepted, outcome.Status));
    }

    [Fact]
    public async Task DeadLetters_ThatAreLarge_AreListed()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var proxy = TestRedis.NewProxy();
        await using (var direct = await TestStores.OpenAsync(redis.Prefix))
        {
            for (var number = 0; number < 8; number++)
            {
                await direct.Failures.RecordAsync(
                    TestStores.Waiting("x") with { Envelope = Large(number, 1024), Status = FailedEventStatus.Dead },
                    Token);
            }
        }

        await using var stores = await TestStores.OpenAsync(redis.Prefix, TestRedis.Through(proxy.Port));
        proxy.ToClient.BytesPerSecond = Rate;

        Assert.Equal(8, (await stores.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token)).Count);
    }

    private static Envelope Large(int number, int kilobytes) =>
        new(
            new EnvelopeAttributes { Id = $"p-{number}", Name = "parcel.sent", Key = "key", Time = DateTimeOffset.UnixEpoch },
            new byte[kilobytes * 1024]);

    /// <summary>Creates the group, and publishes events that it has not read.</summary>
    private static async Task PublishBacklogAsync(TestRedis redis, Subscription subscription, int count, int kilobytes)
    {
        var transport = await redis.StartAsync(subscriptions: [subscription]);
        await (await redis.SubscribeAsync(transport, subscription)).DisposeAsync();
        for (var number = 0; number < count; number++)
        {
            await TestRedis.PublishAcceptedAsync(transport, Large(number, kilobytes));
        }
    }
}
