using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus.Redis.Tests;

/// <summary>Tests Redis Pub/Sub without a connection, and with few permissions.</summary>
public sealed class RedisPubSubConnectionTests
{
    [Fact]
    public async Task Publish_WithoutAReply_IsInDoubtAtTheDeadline()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        await using var app = await TestPubSub.StartAsync(redis, valve.Address);
        valve.Close();

        using var deadline = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        var outcomes = new PublishOutcome[2];
        await app.Transport.PublishAsync(new[] { TestRedis.Parcel(1), TestRedis.Parcel(2) }, outcomes, deadline.Token)
            .AsTask()
            .WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken);

        Assert.All(outcomes, outcome => Assert.Equal((PublishStatus.InDoubt, true), (outcome.Status, outcome.Error is not null)));
    }

    [Fact]
    public async Task Publish_WithoutAConnection_FailsAndIsUnhealthy()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        await using var app = await TestPubSub.StartAsync(redis, valve.Address);
        valve.Refuse();
        await redis.KillConnectionsAsync();

        // The client may not have noticed the outage: then the first publish is in doubt, but a later one is not.
        var outcomes = new PublishOutcome[1];
        for (var i = 0; i < 20 && outcomes[0].Status == PublishStatus.InDoubt; i++)
        {
            outcomes = await TestRedis.PublishAsync(app.Transport, TestRedis.Parcel(1));
        }

        Assert.Equal(PublishStatus.Failed, outcomes[0].Status);
        Assert.Equal(HealthStatus.Unhealthy, (await app.HealthAsync()).Status);
    }

    [Fact]
    public async Task Connection_Closed_ListensAgainAndReportsTheLoss()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var app = await TestPubSub.StartAsync(redis);
        var receiver = await app.SubscribeAsync("parcel.*");
        Assert.NotEqual(0, await redis.KillConnectionsAsync());

        await app.PublishUntilDeliveredAsync(receiver);

        await Until.TrueAsync(
            "the transport is healthy, because its connection is back",
            async () => (await app.HealthAsync()).Status == HealthStatus.Healthy,
            TestContext.Current.CancellationToken);

        // The client raises its events concurrently with its deliveries: an event may arrive before the client reports
        // that it is connected.
        foreach (var text in new[] { "sends events is lost: ", "did not reach this instance" })
        {
            await Until.TrueAsync(
                () => $"'{text}' is logged, not: {string.Join("; ", app.Warnings)}",
                TestRedis.Patience,
                () => Task.FromResult(app.Warnings.Any(warning => warning.Contains(text, StringComparison.Ordinal))),
                TestContext.Current.CancellationToken);
        }
    }

    [Theory]
    [InlineData("resp2")]
    [InlineData("resp3")]
    public async Task Subscription_WhoseConnectionAloneIsSilent_IsDetectedAndListensAgain(string protocol)
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var proxy = TestRedis.NewProxy();
        await using var app = await TestPubSub.StartAsync(redis, $"{TestRedis.Through(proxy.Port)},protocol={protocol}");
        await using var other = await TestPubSub.StartAsync(redis);
        var receiver = await app.SubscribeAsync("parcel.*");
        await TestRedis.PublishAcceptedAsync(other.Transport, TestRedis.Parcel(1));
        Assert.Equal("p-1", (await TestRedis.NextAsync(receiver)).Envelope.Id);

        Assert.Equal(1, proxy.DropConnectionsThatSent("PSUBSCRIBE"));

        await other.PublishUntilDeliveredAsync(receiver);
        Assert.Contains(app.Warnings, text => text.Contains("sends events is lost: ", StringComparison.Ordinal));
        Assert.Contains(app.Warnings, text => text.Contains("did not reach this instance", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Start_WithoutAServer_IsDegradedAndListensOnceItIsUp()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var late = new PrivateRedis();
        await using var app = await TestPubSub.StartAsync(redis, $"{late.Address},connectTimeout=500");
        var receiver = await app.SubscribeAsync("parcel.*");
        Assert.Equal(HealthStatus.Unhealthy, (await app.HealthAsync()).Status);
        Assert.Equal(PublishStatus.Failed, (await TestRedis.PublishAsync(app.Transport, TestRedis.Parcel(1)))[0].Status);

        await late.StartAsync();

        await app.PublishUntilDeliveredAsync(receiver);
    }

    [Fact]
    public async Task Start_WithoutAServerAndFailFast_FailsAndNamesTheFix()
    {
        await using var redis = await TestRedis.OpenAsync();
        var exception = await Assert.ThrowsAsync<EventBusException>(
            () => TestPubSub.StartAsync(redis, $"{TestRedis.Through(1)},connectTimeout=500", failFast: true));

        Assert.Contains("UseRedisPubSub", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Subscribe_ChannelsNotGranted_FailsAndNamesThePermission()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var strict = new PrivateRedis(
            "--user",
            "default",
            "on",
            $">{PrivateRedis.Password}",
            "~*",
            "+@all",
            "resetchannels",
            "&other:*");
        await strict.StartAsync();
        await using var app = await TestPubSub.StartAsync(redis, strict.Address);

        var exception = await Assert.ThrowsAsync<EventBusException>(() => app.SubscribeAsync("parcel.sent"));

        Assert.Contains($"&{redis.Prefix}:*", exception.Message, StringComparison.Ordinal);
        Assert.Equal(PublishStatus.Rejected, (await TestRedis.PublishAsync(app.Transport, TestRedis.Parcel(1)))[0].Status);
    }

    [Fact]
    public async Task Publish_ListWithAChannelThatIsNotGranted_RejectsItAndSendsTheOthers()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var strict = new PrivateRedis(
            "--user",
            "default",
            "on",
            $">{PrivateRedis.Password}",
            "~*",
            "+@all",
            "resetchannels",
            $"&{redis.Prefix}:parcel.*");
        await strict.StartAsync();
        await using var app = await TestPubSub.StartAsync(redis, strict.Address);

        var outcomes = await TestRedis.PublishAsync(
            app.Transport,
            TestRedis.Parcel(1),
            TestRedis.Event(2, "letter.sent", "key"),
            TestRedis.Parcel(3, "key"),
            TestRedis.Parcel(4));

        Assert.Equal(
            [PublishStatus.Accepted, PublishStatus.Rejected, PublishStatus.Failed, PublishStatus.Accepted],
            outcomes.Select(outcome => outcome.Status));
    }

    [Fact]
    public async Task Dispose_RedisDoesNotAnswer_EndsSoon()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        var app = await TestPubSub.StartAsync(redis, valve.Address);
        await app.SubscribeAsync("parcel.sent");
        valve.Close();

        await app.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
    }
}
