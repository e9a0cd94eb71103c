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

        // A delivery that was taken is still held: only settled deliveries are not lost with the receiver.
        await held[0].AckAsync();
        await held[0].AckAsync();
        await held[1].ReleaseAsync();
        await receiver.DisposeAsync();
        Assert.Contains(
            app.Warnings,
            text => text.StartsWith("2 events of the subscription parcels are lost: they were received", StringComparison.Ordinal));
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

        // The globs of these patterns match all of these channels. The prefix of another application may begin with
        // ours.
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
}
