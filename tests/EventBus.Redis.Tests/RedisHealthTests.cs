using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>
/// Shows that problems that stop a subscription are reported, and that it recovers when their cause is gone.
/// </summary>
public sealed class RedisHealthTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Stream_WhoseKeyIsOverwritten_IsUnhealthyUntilTheKeyIsDeleted(bool ordered)
    {
        var subscription = TestRedis.Parcels() with { Ordered = ordered };
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync(subscriptions: [subscription]);
        var receiver = await redis.SubscribeAsync(transport, subscription);
        Assert.Equal(HealthStatus.Healthy, (await transport.CheckHealthAsync(TestContext.Current.CancellationToken)).Status);

        await redis.Database.StringSetAsync(redis.ParcelStream, "no stream");
        Assert.Contains(
            "'parcels'",
            (await TestRedis.HealthAsync(transport, HealthStatus.Unhealthy)).Description,
            StringComparison.Ordinal);
        await redis.Database.KeyDeleteAsync(redis.ParcelStream);
        await TestRedis.HealthAsync(transport, HealthStatus.Healthy);

        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        Assert.Equal("p-1", (await TestRedis.NextAsync(receiver)).Envelope.Id);
    }

    [Fact]
    public async Task Position_ThatIsInvalid_IsIgnoredAndReadingContinues()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync(configure: options => options.TrimPeriod = TimeSpan.FromMilliseconds(100));
        var receiver = await redis.SubscribeAsync(transport);
        await redis.WaitForPositionAsync(_ => true);
        await redis.Database.HashSetAsync(
            $"{{{redis.Prefix}}}:places:parcel",
            [new("app:parcels", "nonsense"), new("app:others", "nonsense")]);

        await redis.Database.StreamDeleteConsumerGroupAsync(redis.ParcelStream, "app:parcels");
        await redis.Log.LineAsync("has vanished");
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));

        Assert.Equal("p-1", (await TestRedis.NextAsync(receiver)).Envelope.Id);
        await TestRedis.HealthAsync(transport, HealthStatus.Healthy);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Wildcard_OverAKeyThatIsNoStream_ReadsTheOthersAndNamesTheKey(bool later)
    {
        await using var redis = await TestRedis.OpenAsync();
        var all = new Subscription("all", [EventPattern.Parse("#")]);
        RedisKey stray = $"{{{redis.Prefix}}}:aaa";
        await (later ? redis.Database.StreamAddAsync(stray, "type", "aaa.sent") : (Task)redis.Database.StringSetAsync(stray, "no stream"));
        await redis.Database.SetAddAsync($"{{{redis.Prefix}}}:known:streams", "aaa");
        var transport = await redis.StartAsync(subscriptions: [all]);
        var receiver = await redis.SubscribeAsync(transport, all);
        if (later)
        {
            await redis.Database.StringSetAsync(stray, "no stream");
        }

        Assert.Contains(":aaa", await redis.Log.LineAsync("is not a stream"), StringComparison.Ordinal);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        Assert.Equal("p-1", (await TestRedis.NextAsync(receiver)).Envelope.Id);
        Assert.Contains(":aaa", (await TestRedis.HealthAsync(transport, HealthStatus.Degraded)).Description, StringComparison.Ordinal);

        await redis.Database.KeyDeleteAsync(stray);
        await redis.Database.StreamAddAsync(stray, [new("type", "aaa.sent"), new("id", "again"), new("data", "1")]);
        Assert.Equal("again", (await TestRedis.NextAsync(receiver)).Envelope.Id);
    }

    [Theory]
    [InlineData("#")]
    [InlineData("parcel.#", "letter.#")]
    public async Task Stream_OverwrittenWhileItsEventsAreHandled_BlocksNoOtherStream(params string[] patterns)
    {
        // More than three quarters of the capacity of 64: while they are held, nothing else is read.
        const int Held = 49;
        const int Few = 100;
        await using var redis = await TestRedis.OpenAsync();
        var subscription = new Subscription("parcels", [.. patterns.Select(EventPattern.Parse)]);
        var transport =
            await redis.StartAsync(subscriptions: [subscription, new Subscription("letters", [EventPattern.Parse("letter.#")])]);
        var receiver = await redis.SubscribeAsync(transport, subscription);
        await TestRedis.PublishAcceptedAsync(
            transport,
            [.. Enumerable.Range(0, Held).Select(number => TestRedis.Event(number, "letter.sent"))]);
        var taken = new List<Delivery>();
        while (taken.Count < Held)
        {
            taken.Add(await TestRedis.NextAsync(receiver));
        }

        RedisKey letters = $"{{{redis.Prefix}}}:letter";
        await redis.Database.StringSetAsync(letters, "no stream");
        foreach (var delivery in taken)
        {
            await delivery.AckAsync();
        }

        for (var number = 0; number < Few; number++)
        {
            await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(number));
            var delivery = await TestRedis.NextAsync(receiver, $"parcel {number}");
            Assert.Equal($"p-{number}", delivery.Envelope.Id);
            await delivery.AckAsync();
        }

        Assert.Contains(":letter", (await TestRedis.HealthAsync(transport, HealthStatus.Degraded)).Description, StringComparison.Ordinal);

        // The problem ends as soon as the key is a stream again.
        await redis.Database.KeyDeleteAsync(letters);
        await redis.Database.StreamAddAsync(letters, [new("type", "letter.sent"), new("id", "again"), new("data", "1")]);
        Assert.Equal("again", (await TestRedis.NextAsync(receiver)).Envelope.Id);
        await TestRedis.HealthAsync(transport, HealthStatus.Healthy);
    }

    [Fact]
    public async Task Server_RestoredFromAnOlderCopy_IsReported()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis("--appendonly", "no");
        await server.StartAsync();
        var transport = await redis.StartAsync(address: server.Address);
        var receiver = await redis.SubscribeAsync(transport);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(0));
        await (await TestRedis.NextAsync(receiver)).AckAsync();
        await using (var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true"))
        {
            await admin.GetDatabase().ExecuteAsync("SAVE");
        }

        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        await (await TestRedis.NextAsync(receiver)).AckAsync();
        await server.KillAsync();
        await server.StartAsync();

        Assert.Contains(redis.ParcelStream!, await redis.Log.LineAsync("has lost events of the stream"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task User_WithoutPermissionToTakeOver_IsDegraded()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis("--user", "default", "on", "nopass", "~*", "&*", "+@all", "-xautoclaim");
        await server.StartAsync();
        var transport = await redis.StartAsync(address: server.Address);
        await redis.SubscribeAsync(transport);

        Assert.Contains(
            "cannot take over",
            (await TestRedis.HealthAsync(transport, HealthStatus.Degraded)).Description,
            StringComparison.Ordinal);
        await redis.Log.LineAsync("cannot take over");
    }
}
