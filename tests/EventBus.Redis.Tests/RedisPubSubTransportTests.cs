using System.Text;
using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisPubSubTransportTests
{
    [Fact]
    public async Task Publish_WithAndWithoutSubscribers_IsAcceptedAndReachesEveryInstance()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var first = await TestPubSub.StartAsync(redis);
        await using var second = await TestPubSub.StartAsync(redis);
        await TestRedis.PublishAcceptedAsync(first.Transport, TestRedis.Parcel(1));
        var receivers = new[] { await first.SubscribeAsync("parcel.sent"), await second.SubscribeAsync("parcel.sent") };

        await TestRedis.PublishAcceptedAsync(first.Transport, TestRedis.Parcel(2), TestRedis.Parcel(3));

        foreach (var receiver in receivers)
        {
            Assert.Equal(
                ["p-2", "p-3"],
                [(await TestRedis.NextAsync(receiver)).Envelope.Id, (await TestRedis.NextAsync(receiver)).Envelope.Id]);
        }

        Assert.Empty(first.Warnings);
    }

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

        // The client may not have noticed yet: then the first is in doubt, and a later one is not.
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

        // The client raises its events concurrently with its deliveries: an event may arrive before the client says
        // that it is connected.
        foreach (var text in new[] { "is lost (", "are lost to this instance" })
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

        Assert.Equal(1, proxy.ForgetThoseThatSaid("PSUBSCRIBE"));

        await other.PublishUntilDeliveredAsync(receiver);
        Assert.Contains(app.Warnings, text => text.Contains("is lost (", StringComparison.Ordinal));
        Assert.Contains(app.Warnings, text => text.Contains("are lost to this instance", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Buffer_Full_DropsAndCountsEventsAndIsDegraded()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var app = await TestPubSub.StartAsync(redis, options: new RedisPubSubOptions { BufferCount = 3 });
        var receiver = await app.SubscribeAsync("parcel.sent");
        await TestRedis.PublishAcceptedAsync(app.Transport, [.. Enumerable.Range(1, 10).Select(number => TestRedis.Parcel(number))]);

        var held = new List<Delivery>
        {
            await TestRedis.NextAsync(receiver),
            await TestRedis.NextAsync(receiver),
            await TestRedis.NextAsync(receiver)
        };
        await receiver.StopIntakeAsync();
        Assert.False(await receiver.Deliveries.WaitToReadAsync(TestContext.Current.CancellationToken));
        Assert.Equal(["p-1", "p-2", "p-3"], held.Select(delivery => delivery.Envelope.Id));
        Assert.Equal(HealthStatus.Degraded, (await app.HealthAsync()).Status);
        Assert.Equal(7, app.Warnings.Sum(
            text => int.Parse(text[..text.IndexOf(' ', StringComparison.Ordinal)], System.Globalization.CultureInfo.InvariantCulture)));

        // Taken is still held: only what is settled is not lost with the receiver.
        await held[0].AckAsync();
        await held[0].AckAsync();
        await held[1].ReleaseAsync();
        await receiver.DisposeAsync();
        Assert.Contains(
            app.Warnings,
            text => text.StartsWith("2 events of the subscription parcels were received and not handled", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Buffer_SettledInTime_AcceptsMore()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var app = await TestPubSub.StartAsync(redis, options: new RedisPubSubOptions { BufferCount = 1 });
        var receiver = await app.SubscribeAsync("parcel.sent");
        for (var number = 0; number < 5; number++)
        {
            await TestRedis.PublishAcceptedAsync(app.Transport, TestRedis.Parcel(number));
            var delivery = await TestRedis.NextAsync(receiver);
            Assert.Equal($"p-{number}", delivery.Envelope.Id);
            await delivery.AckAsync();
        }

        Assert.Equal(HealthStatus.Healthy, (await app.HealthAsync()).Status);
    }

    [Fact]
    public async Task Release_DuringIntake_IsRedelivered()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var app = await TestPubSub.StartAsync(redis);
        var receiver = await app.SubscribeAsync("parcel.sent");
        await TestRedis.PublishAcceptedAsync(app.Transport, TestRedis.Parcel(1));
        var first = await TestRedis.NextAsync(receiver);
        await first.ReleaseAsync();

        var again = await TestRedis.NextAsync(receiver);

        Assert.Equal(("p-1", 0, 1), (again.Envelope.Id, first.EarlierDeliveries, again.EarlierDeliveries));
    }

    [Fact]
    public async Task Patterns_Overlapping_DeliverMatchingEventsOnce()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var app = await TestPubSub.StartAsync(redis);
        var receiver = await app.SubscribeAsync("parcel.#", "*.sent", "parcel.sent");

        // Globs of these patterns match all of them; another application's prefix may even begin with ours.
        foreach (var channel in new[]
        {
            "parcel-box.lost",
            "x:parcel.sent",
            "parcel.Sent",
            "parcel.",
            "parcel.sent",
            "parcel.a.b",
            "letter.sent",
            "parcel"
        })
        {
            await redis.Database.PublishAsync(RedisChannel.Literal($"{redis.Prefix}:{channel}"), "{}");
        }

        var names = new List<string>();
        while (names.Count < 4)
        {
            names.Add((await TestRedis.NextAsync(receiver)).Envelope.Name);
        }

        await receiver.StopIntakeAsync();
        Assert.False(receiver.Deliveries.TryRead(out _));
        Assert.Equal(["letter.sent", "parcel", "parcel.a.b", "parcel.sent"], names.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Foreign_PlainJsonWithoutId_GetsOneFromItsContentAndIsReportedOnce()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var app = await TestPubSub.StartAsync(redis);
        var receiver = await app.SubscribeAsync("parcel.sent");
        foreach (var body in new[] { """{"number":1}""", """{"number":1}""", """{"number":2}""" })
        {
            await redis.Database.PublishAsync(RedisChannel.Literal($"{redis.Prefix}:parcel.sent"), body);
        }

        var ids = new List<string>();
        while (ids.Count < 3)
        {
            var envelope = (await TestRedis.NextAsync(receiver)).Envelope;
            Assert.Equal("""{"number":""", Encoding.UTF8.GetString(envelope.Body.Span)[..10]);
            ids.Add(envelope.Id);
        }

        Assert.Equal((true, false), (ids[0] == ids[1], ids[0] == ids[2]));
        Assert.Single(app.Warnings);
    }

    [Fact]
    public async Task StopIntake_AfterPublishing_DeliversAcceptedEventsAndRefusesMore()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var app = await TestPubSub.StartAsync(redis);
        var receiver = await app.SubscribeAsync("parcel.sent");
        await TestRedis.PublishAcceptedAsync(app.Transport, [.. Enumerable.Range(0, 500).Select(number => TestRedis.Parcel(number))]);

        await receiver.StopIntakeAsync();

        Assert.Equal(PublishStatus.Rejected, (await TestRedis.PublishAsync(app.Transport, TestRedis.Parcel(500)))[0].Status);
        var taken = 0;
        while (receiver.Deliveries.TryRead(out var delivery))
        {
            Assert.Equal($"p-{taken++}", delivery.Envelope.Id);
        }

        Assert.Equal(500, taken);
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
