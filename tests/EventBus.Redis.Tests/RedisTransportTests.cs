using System.Diagnostics;
using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisTransportTests
{
    [Fact]
    public async Task Start_WithoutAServerAndFailFast_FailsAndNamesTheFix()
    {
        await using var redis = await TestRedis.OpenAsync();
        var exception = await Assert.ThrowsAsync<EventBusException>(
            () => redis.StartAsync(address: $"{TestRedis.Through(1)},connectTimeout=500", failFast: true));

        Assert.Contains("UseRedis", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_WithoutAServer_IsDegradedAndRecoversOnceItIsUp()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var late = new PrivateRedis();
        var transport = await redis.StartAsync(address: $"{late.Address},connectTimeout=500");
        var receiver = await redis.SubscribeAsync(transport);
        Assert.Equal(HealthStatus.Unhealthy, (await transport.CheckHealthAsync(TestContext.Current.CancellationToken)).Status);
        Assert.Equal(PublishStatus.Failed, (await TestRedis.PublishAsync(transport, TestRedis.Parcel(1)))[0].Status);

        await late.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync(late.Address);
        await Until.TrueAsync(
            "the group is created after Redis has started",
            () => admin.GetDatabase().KeyExistsAsync(redis.ParcelStream),
            TestContext.Current.CancellationToken);
        await Until.TrueAsync(
            "the transport is healthy",
            async () => (await transport.CheckHealthAsync(TestContext.Current.CancellationToken)).Status == HealthStatus.Healthy,
            TestContext.Current.CancellationToken);

        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(2));
        Assert.Equal("p-2", (await TestRedis.NextAsync(receiver)).Envelope.Id);
    }

    [Fact]
    public async Task Start_WhileTheServerLoads_IsDegradedAndRecoversOnceItHasLoaded()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis(
            "--appendonly",
            "no",
            "--key-load-delay",
            "10000",
            "--loading-process-events-interval-bytes",
            "1024");
        await server.StartAsync();
        await using (var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true"))
        {
            await admin.GetDatabase()
                .StringSetAsync([.. Enumerable.Range(0, 5_000).Select(i => KeyValuePair.Create((RedisKey)$"k{i}", (RedisValue)"value"))]);
            await admin.GetDatabase().ExecuteAsync("SAVE");
        }

        await server.KillAsync();
        await server.StartAsync("Loading RDB");
        var transport = await redis.StartAsync(address: server.Address);
        var receiver = await redis.SubscribeAsync(transport);

        await using var late = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true,abortConnect=false");
        Assert.Contains("loading:1", (string?)await late.GetDatabase().ExecuteAsync("INFO", "persistence"), StringComparison.Ordinal);
        await late.GetDatabase().ExecuteAsync("CONFIG", "SET", "key-load-delay", "0");
        await TestRedis.HealthAsync(transport, HealthStatus.Healthy);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(2));
        Assert.Equal("p-2", (await TestRedis.NextAsync(receiver)).Envelope.Id);
    }

    [Fact]
    public async Task Start_WrongPassword_FailsEvenIfADegradedStartIsAllowed()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var locked = new PrivateRedis();
        await locked.StartAsync();
        var exception = await Assert.ThrowsAsync<EventBusException>(
            () => redis.StartAsync(address: $"{locked.EndPoint},connectTimeout=500,password=kX9-canary"));

        Assert.Contains("refuses", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("kX9-canary", exception.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_ServerThatEchoesUnknownCommands_ShowsNoPassword()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var strange = new PrivateRedis("--rename-command", "AUTH", "");
        await strange.StartAsync();
        var exception =
            await Assert.ThrowsAsync<EventBusException>(() => redis.StartAsync(address: $"{strange.Address},connectTimeout=500"));

        Assert.Contains("refuses", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Canary.Password, exception.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Password_OfAnyTypeThatHasIt_IsNotShown()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis();
        await server.StartAsync();
        var transport = await redis.StartAsync(address: server.Address);
        var connector = new RedisConnector(ConfigurationOptions.Parse(server.Address), "bus.UseRedis(...)", Canary.Log);
        var healthy = await transport.CheckHealthAsync(TestContext.Current.CancellationToken);
        await server.KillAsync();
        var broken = await transport.CheckHealthAsync(TestContext.Current.CancellationToken);

        object[] shown = [
            healthy,
            broken,
            transport,
            transport.Features,
            connector,
            new RedisStores(connector, "eventbus", Canary.Log),
            new RedisOptions(),
            new RedisPubSubOptions()
        ];

        Assert.Equal((HealthStatus.Healthy, HealthStatus.Unhealthy), (healthy.Status, broken.Status));
        Assert.All(shown, each => Assert.DoesNotContain(Canary.Password, each.ToString(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Retire_GroupOfARemovedSubscription_IsRefusedWhileInUseOrNotEmptyAndThenRemovesIt()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync(claimAfter: TimeSpan.FromSeconds(60));
        var receiver = await redis.SubscribeAsync(transport);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        await TestRedis.NextAsync(receiver);
        Assert.Contains(
            "consumers",
            (await Assert.ThrowsAsync<EventBusException>(() => RetireAsync(discardWaiting: true))).Message,
            StringComparison.Ordinal);

        // The consumer remains while it has pending entries; a crashed consumer is simulated by removing it at the
        // server.
        await receiver.DisposeAsync();
        foreach (var consumer in await redis.Database.StreamConsumerInfoAsync(redis.ParcelStream, "app:parcels"))
        {
            await redis.Database.StreamDeleteConsumerAsync(redis.ParcelStream, "app:parcels", consumer.Name);
        }

        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(2));
        Assert.Contains(
            "Events wait",
            (await Assert.ThrowsAsync<EventBusException>(() => RetireAsync(discardWaiting: false))).Message,
            StringComparison.Ordinal);

        await RetireAsync(discardWaiting: true);
        await RetireAsync(discardWaiting: false);
        Assert.Empty(await redis.Database.StreamGroupInfoAsync(redis.ParcelStream));

        Task RetireAsync(bool discardWaiting) =>
            transport.RetireAsync("parcels", discardWaiting, TestContext.Current.CancellationToken).AsTask();
    }

    [Fact]
    public async Task Dispose_RedisDoesNotAnswer_EndsSoon()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        var transport = await redis.StartAsync(address: valve.Address);
        var receiver = await redis.SubscribeAsync(transport);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        await TestRedis.NextAsync(receiver);
        valve.Close();

        var startedAt = Stopwatch.GetTimestamp();
        await receiver.DisposeAsync();
        await transport.DisposeAsync();

        Assert.InRange(Stopwatch.GetElapsedTime(startedAt), TimeSpan.Zero, TimeSpan.FromSeconds(10));
    }
}
